"""Receive: make an instance durable before anybody is told that it is stored."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import (
    InternalError,
    NodeError,
    SlotExpired,
    SopClassMismatch,
    StorageFailure,
    UnsupportedSopClass,
)
from dicom_node.pipeline.accepted import is_taken_private, storage_sop_classes
from dicom_node.pipeline.header import scan
from dicom_node.pipeline.known_slots import KnownSlots
from dicom_node.pipeline.large_arrival import Intake, LargeArrival
from dicom_node.pipeline.spooled import SpooledInstances, new_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import BinaryIO

    from dicom_node.domain.instance import IncomingInstance, InstanceHeader, Receipt
    from dicom_node.domain.study import Slot
    from dicom_node.pipeline.header import ScannedInstance
    from dicom_node.pipeline.tally import ArrivalTally
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Watermark
    from dicom_node.ports.operation import AuditLog, Metrics
    from dicom_node.ports.stores import Spool
    from dicom_node.ports.studies import StudyIndex

log = structlog.get_logger(__name__)

_CHUNK = 1 << 20
#: How often bytes are written again because the study was purged meanwhile. Each try follows a purge, so
#: more than one or two can only be a fault.
_MAX_TRIES = 5


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
        spool: Spool,
        pseudonymizer: Pseudonymizer,
        watermark: Watermark,
        metrics: Metrics,
        audit: AuditLog | None = None,
        *,
        tally: ArrivalTally | None = None,
        private_sop_classes: Collection[str] | bool = False,
    ) -> None:
        self._spool = spool
        self._pseudonymizer = pseudonymizer
        self._watermark = watermark
        self._metrics = metrics
        self._tally = tally
        self._private_sop_classes = private_sop_classes
        self._sop_classes = storage_sop_classes()
        self._slots = KnownSlots(index)
        self._spooled = SpooledInstances(index, spool, pseudonymizer, audit)
        self._intake = Intake(spool, self._spooled, self._slots, pseudonymizer, watermark)

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
        return self._settle(incoming.source, lambda: self._receive(incoming))

    def begin(
        self, source: str, sop_class_uid: str | None = None, sop_instance_uid: str | None = None
    ) -> LargeArrival:
        """See `ports.Receiver.begin`."""
        return LargeArrival(
            self._intake, source, partial(self._check_claims, sop_class_uid, sop_instance_uid), self._settle
        )

    def _settle(self, sender: str, work: Callable[[], Receipt]) -> Receipt:
        """Count what comes of an instance."""
        source = sender.partition(":")[0]
        started = time.perf_counter()
        try:
            receipt = work()
        except NodeError as exc:
            self._refused(sender, exc)
            raise
        except Exception as exc:
            error = InternalError.of(exc)
            self._refused(sender, error)
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
        scanned = scan(incoming.stream)
        self._check_claims(incoming.sop_class_uid, incoming.sop_instance_uid, scanned.header)
        digest = content_digest(incoming.stream, scanned)
        with self._watermark.reserve(scanned.size):
            return self._keep(incoming, scanned, digest)

    def _keep(self, incoming: IncomingInstance, scanned: ScannedInstance, digest: str) -> Receipt:
        study = self._pseudonymizer.uid(scanned.header.study_instance_uid)
        fresh = False
        for _ in range(_MAX_TRIES):
            slot = self._slots.get(study, fresh=fresh)
            try:
                return self._store(incoming, scanned, slot, digest)
            except SlotExpired:
                fresh = True
            except StorageFailure:
                # The purge of a remembered slot destroys its key while we write: that is no failure.
                if fresh or self._slots.is_current(study, slot):
                    raise
                fresh = True
        raise StorageFailure("the study was purged again and again while it was stored; send it again")

    def _check_claims(
        self, sop_class_uid: str | None, sop_instance_uid: str | None, header: InstanceHeader
    ) -> None:
        claimed = (sop_class_uid or header.sop_class_uid, sop_instance_uid or header.sop_instance_uid)
        if claimed != (header.sop_class_uid, header.sop_instance_uid):
            raise SopClassMismatch("the request and the data set name different instances; check the sender")
        if header.sop_class_uid in self._sop_classes:
            return
        if is_taken_private(header.sop_class_uid, self._private_sop_classes):
            return
        raise UnsupportedSopClass("the SOP Class is no Storage SOP Class of the standard; it is not stored")

    def _store(
        self, incoming: IncomingInstance, scanned: ScannedInstance, slot: Slot, digest: str
    ) -> Receipt:
        header = scanned.header
        name = f"{self._pseudonymizer.uid(header.sop_instance_uid)}-{digest[:16]}.dcm"
        blob = self._spool.create(slot, name)
        try:
            whole = _in_memory(incoming.stream)
            if whole is not None:
                with whole:
                    ref = blob.commit(whole)
            else:
                for part in _parts(incoming.stream, 0):
                    blob.write(part)
                ref = blob.commit()
        except BaseException:
            blob.abandon()
            raise
        return self._spooled.register(
            slot, ref, header, size=scanned.size, sha256=digest, source=incoming.source
        )


def content_digest(stream: BinaryIO, scanned: ScannedInstance) -> str:
    """SHA-256 of what the sender sent; see `spooled.new_digest` for what counts.

    A stream that came over DIMSE knows it already.
    """
    known: str | None = getattr(stream, "content_sha256", None)
    if known is not None:
        return known
    digest = new_digest(scanned.header.transfer_syntax_uid)
    for part in _parts(stream, scanned.dataset_offset):
        digest.update(part)
    return digest.hexdigest()


def _parts(stream: BinaryIO, start: int) -> Iterator[bytes | memoryview]:
    """The bytes of a stream from `start` on: at once where they are in memory."""
    whole = _in_memory(stream)
    if whole is not None:
        with whole, whole[start:] as part:
            yield part
        return
    stream.seek(start)
    while chunk := stream.read(_CHUNK):
        yield chunk


def _in_memory(stream: BinaryIO) -> memoryview | None:
    """All bytes of a stream that has them in memory, not copied, as `io.BytesIO` has; to be released."""
    look = getattr(stream, "getbuffer", None)
    view: memoryview | None = None if look is None else look()
    return view
