"""What a person does with instances in quarantine: look, release, delete. All of it is audited.

To release is to vouch for one rule, for exactly the bytes that were looked at: they go to the spool again
and into the study's next version, as a late instance does. To delete destroys key and bytes, here and in the
spool.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from dicom_node.domain.errors import Gone, Quarantined, SlotExpired, StorageFailure
from dicom_node.domain.quarantine import Decision, QuarantineState
from dicom_node.domain.study import ENDED
from dicom_node.pipeline.purge import purge
from dicom_node.pipeline.quarantine import destroy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.quarantine import DeleteReason, Preview, QuarantinedInstance, ReleaseReason
    from dicom_node.pipeline.services import Services

#: How often bytes are written again because the study was purged meanwhile.
_MAX_TRIES = 5


class Renderer(Protocol):
    """Draws a frame."""

    def __call__(self, part10: bytes, frame: int, *, all_values: bool) -> Preview:
        """See `ports.Review.preview`.

        Raises
        ------
        NotFound
        """


class ReviewDesk:
    """`ports.Review` over the quarantine.

    Parameters
    ----------
    render
        Draws a frame of Part 10 bytes.
    """

    def __init__(self, services: Services, render: Renderer) -> None:
        self._services = services
        self._render = render

    def get(self, item_id: str) -> QuarantinedInstance:
        """See `ports.Review.get`."""
        return self._services.quarantine.get(item_id)

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """See `ports.Review.page`."""
        return self._services.quarantine.page(study_id=study_id, state=state, limit=limit, cursor=cursor)

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """See `ports.Review.count_held`."""
        return self._services.quarantine.count_held(study_ids)

    def preview(self, item_id: str, frame: int, by: str, *, all_values: bool = False) -> Preview:
        """See `ports.Review.preview`."""
        item = self._look(item_id, "preview", by, frame)
        return self._render(self._services.stores.quarantine.read(item.ref), frame, all_values=all_values)

    def content(self, item_id: str, by: str) -> bytes:
        """See `ports.Review.content`."""
        item = self._look(item_id, "content", by, None)
        return self._services.stores.quarantine.read(item.ref)

    def release(self, item_id: str, reason: ReleaseReason, by: str) -> QuarantinedInstance:
        """See `ports.Review.release`."""
        item = self._services.quarantine.get(item_id)
        if item.state is QuarantineState.HELD:
            if not item.vouchable:
                raise Quarantined(
                    f"a look cannot answer the rule {item.rule}; delete the instance, or have the sender mend"
                    " it and send it again",
                    item.rule,
                )
            self._audit("quarantine.release", item, reason=reason.value, by=by)
            item = self._take_in(item, Decision(by, reason.value))
            self._services.metrics.count("quarantine_decisions", decision="released")
        if item.state is QuarantineState.DELETED:
            raise Gone("it was deleted, its bytes are destroyed; have it sent again")
        self._destroy(item)
        return self._services.quarantine.get(item_id)

    def delete(self, item_id: str, reason: DeleteReason, by: str) -> QuarantinedInstance:
        """See `ports.Review.delete`."""
        item = self._services.quarantine.get(item_id)
        if item.state is QuarantineState.HELD:
            self._audit("quarantine.delete", item, reason=reason.value, by=by)
            item = self._services.quarantine.delete(item_id, Decision(by, reason.value))
            self._services.metrics.count("quarantine_decisions", decision="deleted")
        if item.state is QuarantineState.RELEASED:
            raise Gone("it was released into its study; purge the study to delete it")
        self._destroy(item)
        self._purge_if_empty(item.study_id)
        return self._services.quarantine.get(item_id)

    def settle(self) -> int:
        """Destroy what a crash left of decided instances; return how many."""
        left = self._services.quarantine.unsettled()
        for item in left:
            self._destroy(item)
        return len(left)

    def _look(self, item_id: str, what: str, by: str, frame: int | None) -> QuarantinedInstance:
        item = self._services.quarantine.get(item_id)
        if not item.ref:
            raise Gone("its bytes left the quarantine when it was released or deleted")
        # Durable before a pixel leaves.
        self._audit("quarantine.looked_at", item, what=what, frame=frame, by=by)
        return item

    def _take_in(self, item: QuarantinedInstance, decision: Decision) -> QuarantinedInstance:
        services = self._services
        source = services.quarantine.source(item.id)
        data = services.stores.quarantine.read(item.ref)
        for _ in range(_MAX_TRIES):
            slot = services.index.open_slot(source.study_instance_uid)
            try:
                ref = services.stores.spool.write(
                    slot, f"{source.sop_instance_uid}-{source.sha256[:16]}.dcm", io.BytesIO(data)
                )
                late = replace(source, epoch=slot.epoch, spool_ref=ref)
                return services.quarantine.release(item.id, late, decision)
            except SlotExpired:
                continue
        raise StorageFailure("the study was purged again and again meanwhile; try again")

    def _destroy(self, item: QuarantinedInstance) -> None:
        if not item.ref:
            return
        services = self._services
        if item.state is QuarantineState.DELETED:
            _delete_from_spool(services, item)
        destroy(services, item)

    def _purge_if_empty(self, study_id: str) -> None:
        study = self._services.index.study(study_id)
        if study.state not in ENDED or study.purged_at is not None:
            return
        if not self._services.index.sources(study_id, study.version):
            purge(self._services, study_id, study.version)

    def _audit(self, event: str, item: QuarantinedInstance, **fields: str | int | None) -> None:
        self._services.audit.record(
            event, study_id=item.study_id, quarantine_id=item.id, rule=item.rule, **fields
        )


def _delete_from_spool(services: Services, item: QuarantinedInstance) -> None:
    ref = services.quarantine.source(item.id).spool_ref
    present = services.index.find_source(item.sop_instance_uid)
    # The same bytes that were sent again lie under the same name: those stay.
    if present is None or present.spool_ref != ref:
        services.stores.spool.delete(ref)
