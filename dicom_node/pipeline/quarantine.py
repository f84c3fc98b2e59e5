"""What is kept back: held by the de-identify stage, lifted by a later one, destroyed once it is decided.

Each instance has a slot and so a key of its own, which outlives the purge of its study: destroying it
touches nobody else's bytes.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from dicom_node.domain.quarantine import QuarantinedInstance
from dicom_node.domain.study import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicom_node.domain.errors import Quarantined
    from dicom_node.domain.instance import SourceInstance
    from dicom_node.pipeline.services import Services

_NAME = "original.dcm"


def slot_of(item_id: str) -> Slot:
    """Where the bytes of an instance in quarantine lie, with a key for it alone."""
    return Slot(item_id, 0)


def hold(services: Services, source: SourceInstance, version: int, data: bytes, why: Quarantined) -> str:
    """Keep an instance back and return the reason.

    Again for the same version, or while it is held, it stays the same one.

    Parameters
    ----------
    data
        As received.
    """
    known = services.quarantine.held(source.study_id, source.sop_instance_uid, source.sha256)
    item_id = known.id if known else _item_id(source, version)
    ref = services.stores.quarantine.write(slot_of(item_id), _NAME, io.BytesIO(data))
    services.quarantine.hold(
        QuarantinedInstance(
            id=item_id,
            study_id=source.study_id,
            epoch=source.epoch,
            version=version,
            sop_instance_uid=source.sop_instance_uid,
            sop_class_uid=source.sop_class_uid,
            modality=source.modality,
            size=source.size,
            sha256=source.sha256,
            rule=why.rule,
            vouchable=why.vouchable,
            reason=str(why),
            ref=ref,
        )
    )
    services.metrics.count("instances_quarantined")
    services.audit.record(
        "instance.quarantined",
        study_id=source.study_id,
        quarantine_id=item_id,
        sop_instance_uid=source.sop_instance_uid,
        version=version,
        rule=why.rule,
        reason=str(why),
    )
    return str(why)


def lift(services: Services, study_id: str, passed: Iterable[SourceInstance]) -> None:
    """Let go of instances that were held before and that de-identification passed this time."""
    keys = ((source.sop_instance_uid, source.sha256) for source in passed)
    for item in services.quarantine.lift(study_id, keys):
        destroy(services, item)
        services.audit.record("quarantine.lifted", study_id=study_id, quarantine_id=item.id, rule=item.rule)


def destroy(services: Services, item: QuarantinedInstance) -> None:
    """Destroy key and bytes of a decided instance, the key first; the audit log has the receipt.

    May be repeated: what a crash left behind goes then.
    """
    slot = slot_of(item.id)
    key_destroyed = services.stores.quarantine_keys.destroy(slot)
    files = services.stores.quarantine.delete_slot(slot)
    services.audit.record(
        "quarantine.destroyed",
        study_id=item.study_id,
        quarantine_id=item.id,
        state=item.state.value,
        key_destroyed=key_destroyed,
        files_deleted=files,
    )
    services.quarantine.settle(item.id)


def _item_id(source: SourceInstance, version: int) -> str:
    # The same for a stage that a crash repeats; another one where the bytes were deleted and came again.
    key = f"{source.study_id}/{version}/{source.sop_instance_uid}/{source.sha256}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]
