"""The last step of receiving: the row of an instance whose bytes are in the spool."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import SlotExpired
from dicom_node.domain.instance import Receipt, SourceInstance, StoreOutcome

if TYPE_CHECKING:
    from dicom_node.domain.instance import InstanceHeader
    from dicom_node.domain.study import Slot
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.operation import AuditLog
    from dicom_node.ports.stores import Spool
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)


def new_digest(transfer_syntax_uid: str) -> hashlib._Hash:
    """The digest of an instance, before its data set is added.

    Transfer syntax and data set count; preamble and File Meta do not: over DIMSE the node writes them
    itself, so the same instance by C-STORE and by STOW-RS would seem to differ.
    """
    return hashlib.sha256(transfer_syntax_uid.encode() + b"\0")


class SpooledInstances:
    """Registers instances.

    Parameters
    ----------
    audit
        Where a conflict (other bytes under a known SOP Instance UID) is recorded.
    """

    def __init__(
        self, index: StudyIndex, spool: Spool, pseudonymizer: Pseudonymizer, audit: AuditLog | None
    ) -> None:
        self._index = index
        self._spool = spool
        self._pseudonymizer = pseudonymizer
        self._audit = audit

    def register(
        self, slot: Slot, ref: str, header: InstanceHeader, *, size: int, sha256: str, source: str
    ) -> Receipt:
        """Register what lies under `ref`, durably; where it was there already, `ref` is deleted again.

        Raises
        ------
        SlotExpired
            If the study was purged meanwhile; `ref` is deleted.
        OutOfResources, StorageFailure
        """
        uid = self._pseudonymizer.uid
        instance = SourceInstance(
            study_id=slot.study_id,
            epoch=slot.epoch,
            study_instance_uid=uid(header.study_instance_uid),
            series_instance_uid=uid(header.series_instance_uid),
            sop_instance_uid=uid(header.sop_instance_uid),
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            modality=header.modality,
            size=size,
            sha256=sha256,
            source=source,
            spool_ref=ref,
        )
        try:
            outcome = self._index.register(instance)
        except SlotExpired:
            self._spool.delete(ref)
            raise
        if outcome is not StoreOutcome.STORED:
            self._drop_extra(instance, outcome)
        return Receipt(
            outcome=outcome,
            study_id=slot.study_id,
            study_instance_uid=instance.study_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            sop_instance_uid=instance.sop_instance_uid,
            sent=header,
        )

    def _drop_extra(self, instance: SourceInstance, outcome: StoreOutcome) -> None:
        first = self._index.find_source(instance.sop_instance_uid)
        # Where the row is gone a purge is on its way, and takes the slot with all its blobs.
        if first is not None and first.spool_ref != instance.spool_ref:
            self._spool.delete(instance.spool_ref)
        if outcome is StoreOutcome.CONFLICT:
            log.warning("instance.conflict", study_id=instance.study_id, source=instance.source)
            if self._audit is not None:
                self._audit.record("instance.conflict", study_id=instance.study_id, source=instance.source)
