"""What was kept back, and what a person may do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicom_node.domain.instance import SourceInstance
    from dicom_node.domain.quarantine import (
        Decision,
        DeleteReason,
        Preview,
        QuarantinedInstance,
        QuarantineState,
        ReleaseReason,
    )


class Quarantine(Protocol):
    """Instances that were kept back, until a person decides. Each call is one durable transaction."""

    def hold(self, item: QuarantinedInstance) -> None:
        """Record an instance that is kept back; the same id again replaces what is there."""

    def held(self, study_id: str, sop_instance_uid: str, sha256: str) -> QuarantinedInstance | None:
        """What is held of these bytes under this UID."""

    def vouched(self, study_id: str) -> dict[tuple[str, str], frozenset[str]]:
        """Rules that persons answered for, by (SOP Instance UID, sha256)."""

    def lift(self, study_id: str, passed: Iterable[tuple[str, str]]) -> Sequence[QuarantinedInstance]:
        """Release what is held of these (SOP Instance UID, sha256): the pipeline passed them after all."""

    def get(self, item_id: str) -> QuarantinedInstance:
        """One instance, whatever was decided.

        Raises
        ------
        NotFound
        """

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """A page, newest first, and the cursor of the next page.

        Raises
        ------
        NotFound
            If the cursor is none that was given.
        """

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """How many are held of each of these studies; those without are left out."""

    def source(self, item_id: str) -> SourceInstance:
        """The ledger's row of the instance, purged or not.

        Raises
        ------
        NotFound
        """

    def release(self, item_id: str, instance: SourceInstance, decision: Decision) -> QuarantinedInstance:
        """Vouch for the rule, and take the instance into the study's next version as a late one.

        Nothing changes where it was decided before: look at the state of what is returned.

        Parameters
        ----------
        instance
            As `StudyIndex.register` takes it; its bytes are durable. It takes the place of the same
            bytes where they are in the spool still.

        Raises
        ------
        NotFound
        SlotExpired
            If the study was purged meanwhile: write the bytes again to a new slot.
        TransientError
            If the study is being de-identified at this moment.
        Quarantined
            If other bytes came under this UID meanwhile.
        """

    def delete(self, item_id: str, decision: Decision) -> QuarantinedInstance:
        """Decide that its bytes go, and take them out of the ledger: no later stage sees them.

        Nothing changes where it was released before: look at the state of what is returned.

        Raises
        ------
        NotFound
        TransientError
            If the study is being de-identified at this moment.
        """

    def settle(self, item_id: str) -> None:
        """Record that the quarantine's bytes and key are gone."""

    def unsettled(self) -> Sequence[QuarantinedInstance]:
        """Decided ones whose bytes a crash left in the quarantine."""


class Review(Protocol):
    """What a person may do with instances in quarantine. Every look and decision is audited."""

    def get(self, item_id: str) -> QuarantinedInstance:
        """See `Quarantine.get`."""

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """See `Quarantine.page`."""

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """See `Quarantine.count_held`."""

    def preview(self, item_id: str, frame: int, by: str, *, all_values: bool = False) -> Preview:
        """A frame with its original pixels.

        Parameters
        ----------
        frame
            Counts from 1.
        all_values
            Show all grey values, whatever window the instance names.

        Raises
        ------
        NotFound
            If there is no such instance or frame, or it has no picture.
        Gone
            If its bytes were released or deleted.
        """

    def content(self, item_id: str, by: str) -> bytes:
        """The original Part 10 bytes.

        Raises
        ------
        NotFound, Gone
        """

    def release(self, item_id: str, reason: ReleaseReason, by: str) -> QuarantinedInstance:
        """Waive the rule for this instance and take it into the study's next version; may be repeated.

        Raises
        ------
        NotFound, TransientError
        Gone
            If it was deleted.
        Quarantined
            If a look cannot answer its rule, or other bytes came under its UID meanwhile.
        """

    def delete(self, item_id: str, reason: DeleteReason, by: str) -> QuarantinedInstance:
        """Destroy its key and bytes, here and in the spool; may be repeated.

        Raises
        ------
        NotFound, TransientError
        Gone
            If it was released.
        """
