"""Repairs: only of what nobody can read, or what was never acknowledged. Each is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import NodeError
from dicom_node.domain.reconciliation import REPAIRABLE, DiscrepancyKind
from dicom_node.domain.study import Slot

if TYPE_CHECKING:
    from dicom_node.domain.reconciliation import Discrepancy
    from dicom_node.pipeline.reconcile_holdings import ReconciledStores
    from dicom_node.ports.operation import AuditLog
    from dicom_node.ports.reconciliation import ReconciliationIndex
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)


class Repairs:
    """Mends one discrepancy at a time."""

    def __init__(
        self, index: ReconciliationIndex, studies: StudyIndex, stores: ReconciledStores, audit: AuditLog
    ) -> None:
        self._index = index
        self._studies = studies
        self._stores = stores
        self._audit = audit

    def repair(self, discrepancy: Discrepancy) -> bool:
        """Mend it where that is safe; return whether it is mended."""
        if discrepancy.kind not in REPAIRABLE:
            return False
        try:
            done = self._repair(discrepancy)
        except NodeError as exc:
            log.warning("reconciliation.repair_failed", study_id=discrepancy.study_id, code=exc.code)
            return False
        if done:
            self._audit.record(
                "reconciliation.repaired",
                kind=discrepancy.kind.value,
                study_id=discrepancy.study_id,
                subject=discrepancy.subject,
            )
        return done

    def _repair(self, discrepancy: Discrepancy) -> bool:
        if discrepancy.kind is DiscrepancyKind.BYTES_WITHOUT_INSTANCE:
            return self._remove_orphan(discrepancy)
        study_id, _, number = discrepancy.subject.partition("/")
        slot = Slot(study_id, int(number))
        if discrepancy.kind is DiscrepancyKind.EXPIRED_WITH_BYTES:
            self._stores.results.delete_slot(slot)
            return True
        # As the purge stage does: the key first, so that what a crash leaves cannot be read.
        self._stores.keys.destroy(slot)
        self._stores.spool.delete_slot(slot)
        self._stores.work.delete_slot(slot)
        if discrepancy.kind is DiscrepancyKind.PURGE_UNFINISHED:
            self._studies.purged(study_id, slot)
        return True

    def _remove_orphan(self, discrepancy: Discrepancy) -> bool:
        """Remove bytes that no instance claims, unless a sender writes them again at this moment."""
        store, _, place = discrepancy.subject.partition(":")
        study_id, epoch, _ = place.split("/")
        slot = Slot(study_id, int(epoch))
        blobs = {blob.ref: blob for blob in self._stores.spool.listing(slot)}
        # In this order: who registers after we asked has written after we listed.
        facts = self._index.facts(study_id)
        blob = blobs.get(discrepancy.subject)
        if store != "spool" or blob is None or facts is None:
            return False
        if any(source.ref == blob.ref for source in facts.sources):
            return False
        return self._stores.spool.take_away(blob)
