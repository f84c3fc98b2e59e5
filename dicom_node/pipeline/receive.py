"""Receive: make an instance durable before anybody is told that it is stored."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import structlog

from dicom_node.domain.errors import (
    InternalError,
    NodeError,
    SlotExpired,
    SopClassMismatch,
    StorageFailure,
    UnsupportedSopClass,
)
from dicom_node.domain.instance import Receipt, SourceInstance, StoreOutcome
from dicom_node.pipeline.accepted import is_taken_private, storage_sop_classes
from dicom_node.pipeline.header import scan

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import BinaryIO

    from dicom_node.domain.instance import IncomingInstance, InstanceHeader
    from dicom_node.domain.study import Slot
    from dicom_node.pipeline.header import ScannedInstance
    from dicom_node.pipeline.tally import ArrivalTally
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Watermark
    from dicom_node.ports.operation import AuditLog, Metrics
    from dicom_node.ports.stores import BlobStore
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)

_HASH_CHUNK = 1 << 20
#: How often bytes are written again because the study was purged meanwhile. Each try follows a purge, so
#: more than one or two can only be a fault.
_MAX_TRIES = 5
#: Studies whose slot is remembered; one costs about 200 bytes.
_KNOWN_SLOTS = 1024


class ReceiveStage:
    """`ports.Receiver`: check, spool, register, in this order.

    Two copies of an instance may arrive at once: blobs are named by their content, so that one never
    overwrites another, and the index decides which copy was first.

    Parameters
    ----------
    audit
        Where a conflict (other bytes under a known SOP Instance UID) is recorded.
    tally
        Counts for the ledger what came again or was refused.
    private_sop_classes
        SOP Classes outside the standard's root that are taken; True for all.
    """

    def __init__(
        self,
        index: StudyIndex,
        spool: BlobStore,
        pseudonymizer: Pseudonymizer,
        watermark: Watermark,
        metrics: Metrics,
        audit: AuditLog | None = None,
        *,
        tally: ArrivalTally | None = None,
        private_sop_classes: Collection[str] | bool = False,
    ) -> None:
        self._index = index
        self._spool = spool
        self._pseudonymizer = pseudonymizer
        self._watermark = watermark
        self._metrics = metrics
        self._audit = audit
        self._tally = tally
        self._private_sop_classes = private_sop_classes
        self._sop_classes = storage_sop_classes()
        self._slots = _KnownSlots(index)

    def check_capacity(self, size: int = 0) -> None:
        """See `ports.Receiver.check_capacity`."""
        with self._watermark.reserve(size):
            pass

    def receive(self, incoming: IncomingInstance) -> Receipt:
        """See `ports.Receiver.receive`.

        Raises
        ------
        InvalidInstance, MissingIdentifier, TruncatedDataset, SopClassMismatch, UnsupportedSopClass,
        UnsupportedTransferSyntax, OutOfResources, StorageFailure, InternalError
        """
        source = incoming.source.partition(":")[0]
        started = time.perf_counter()
        try:
            receipt = self._receive(incoming)
        except NodeError as exc:
            self._refused(incoming.source, exc)
            raise
        except Exception as exc:
            error = InternalError.of(exc)
            self._refused(incoming.source, error)
            raise error from exc
        self._metrics.count("instances_received", source=source, outcome=receipt.outcome.value)
        if self._tally is not None:
            self._tally.arrived(receipt.study_id, receipt.outcome)
        self._metrics.observe("store_seconds", time.perf_counter() - started, source=source)
        log.debug(
            "instance.received", study_id=receipt.study_id, source=source, outcome=receipt.outcome.value
        )
        return receipt

    def _refused(self, sender: str, error: NodeError) -> None:
        source = sender.partition(":")[0]
        if self._tally is not None:
            self._tally.refused(sender, error.code)
        self._metrics.count("instances_refused", source=source, code=error.code)
        log.warning("instance.refused", source=source, code=error.code, reason=str(error))

    def _receive(self, incoming: IncomingInstance) -> Receipt:
        self._watermark.check()
        scanned = scan(incoming.stream)
        self._check_claims(incoming, scanned.header)
        digest = content_digest(incoming.stream, scanned)
        with self._watermark.reserve(scanned.size):
            return self._keep(incoming, scanned, digest)

    def _keep(self, incoming: IncomingInstance, scanned: ScannedInstance, digest: str) -> Receipt:
        study = self._pseudonymizer.uid(scanned.header.study_instance_uid)
        fresh = False
        for _ in range(_MAX_TRIES):
            slot = self._slots.get(study, fresh=fresh)
            try:
                return self._store(incoming, scanned, study, slot, digest)
            except SlotExpired:
                fresh = True
            except StorageFailure:
                # The purge of a remembered slot destroys its key while we write: that is no failure.
                if fresh or self._slots.is_current(study, slot):
                    raise
                fresh = True
        raise StorageFailure("the study was purged again and again while it was stored; send it again")

    def _check_claims(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        if incoming.sop_class_uid not in (None, header.sop_class_uid) or incoming.sop_instance_uid not in (
            None,
            header.sop_instance_uid,
        ):
            raise SopClassMismatch("the request and the data set name different instances; check the sender")
        if header.sop_class_uid in self._sop_classes:
            return
        if is_taken_private(header.sop_class_uid, self._private_sop_classes):
            return
        raise UnsupportedSopClass("the SOP Class is no Storage SOP Class of the standard; it is not stored")

    def _store(
        self, incoming: IncomingInstance, scanned: ScannedInstance, study: str, slot: Slot, digest: str
    ) -> Receipt:
        header = scanned.header
        sop_instance_uid = self._pseudonymizer.uid(header.sop_instance_uid)
        incoming.stream.seek(0)
        ref = self._spool.write(slot, f"{sop_instance_uid}-{digest[:16]}.dcm", incoming.stream)
        instance = SourceInstance(
            study_id=slot.study_id,
            epoch=slot.epoch,
            study_instance_uid=study,
            series_instance_uid=self._pseudonymizer.uid(header.series_instance_uid),
            sop_instance_uid=sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            modality=header.modality,
            size=scanned.size,
            sha256=digest,
            source=incoming.source,
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
            study_instance_uid=study,
            series_instance_uid=instance.series_instance_uid,
            sop_instance_uid=sop_instance_uid,
            sent=header,
        )

    def _drop_extra(self, instance: SourceInstance, outcome: StoreOutcome) -> None:
        first = self._index.find_source(instance.sop_instance_uid)
        # The same bytes have the same name: then the ref is the first copy's own, and stays. Where the
        # row is gone a purge is on its way, and takes the slot with all its blobs.
        if first is not None and first.spool_ref != instance.spool_ref:
            self._spool.delete(instance.spool_ref)
        if outcome is StoreOutcome.CONFLICT:
            log.warning("instance.conflict", study_id=instance.study_id, source=instance.source)
            if self._audit is not None:
                self._audit.record("instance.conflict", study_id=instance.study_id, source=instance.source)


class _KnownSlots:
    """Remembers where studies go, so that not every instance asks the index.

    A remembered slot may have expired; `StudyIndex.register` notices.
    """

    def __init__(self, index: StudyIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()

    def get(self, study_instance_uid: str, *, fresh: bool) -> Slot:
        with self._lock:
            slot = self._slots.get(study_instance_uid)
        return slot if slot is not None and not fresh else self._open(study_instance_uid)

    def is_current(self, study_instance_uid: str, slot: Slot) -> bool:
        return self._open(study_instance_uid) == slot

    def _open(self, study_instance_uid: str) -> Slot:
        slot = self._index.open_slot(study_instance_uid)
        with self._lock:
            self._slots[study_instance_uid] = slot
            self._slots.move_to_end(study_instance_uid)
            while len(self._slots) > _KNOWN_SLOTS:
                self._slots.popitem(last=False)
        return slot


@runtime_checkable
class InMemory(Protocol):
    """A stream whose bytes can be looked at without copying them, as `io.BytesIO` is."""

    def getbuffer(self) -> memoryview:
        """All bytes, whatever the position."""


def content_digest(stream: BinaryIO, scanned: ScannedInstance) -> str:
    """SHA-256 of what the sender sent.

    Transfer syntax and data set count; preamble and File Meta do not: over DIMSE the node writes them
    itself, so the same instance by C-STORE and by STOW-RS would seem to differ.
    """
    digest = hashlib.sha256(scanned.header.transfer_syntax_uid.encode() + b"\0")
    if isinstance(stream, InMemory):
        with stream.getbuffer() as view:
            digest.update(view[scanned.dataset_offset :])
        return digest.hexdigest()
    stream.seek(scanned.dataset_offset)
    while chunk := stream.read(_HASH_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
