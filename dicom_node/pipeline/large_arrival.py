"""An instance that goes to the spool while it arrives, so that memory does not grow with its size."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from dicom_node.domain.errors import (
    InternalError,
    InvalidInstance,
    NodeError,
    SlotExpired,
    SopClassMismatch,
    StorageFailure,
)
from dicom_node.pipeline.header import scan, scan_beginning
from dicom_node.pipeline.spooled import new_digest

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable

    from dicom_node.domain.instance import InstanceHeader, Receipt
    from dicom_node.domain.study import Slot
    from dicom_node.pipeline.header import ScannedInstance
    from dicom_node.pipeline.known_slots import KnownSlots
    from dicom_node.pipeline.spooled import SpooledInstances
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Watermark
    from dicom_node.ports.stores import BlobWriter, Spool

#: Bytes in which the identifiers must stand: they come in the order of their tags, long before pixel data.
MAX_HEAD = 16 << 20
_FIRST_LOOK = 1 << 16


class Intake:
    """What an arrival works with, the same for all."""

    def __init__(
        self,
        spool: Spool,
        spooled: SpooledInstances,
        slots: KnownSlots,
        pseudonymizer: Pseudonymizer,
        watermark: Watermark,
    ) -> None:
        self.spool = spool
        self.spooled = spooled
        self.slots = slots
        self.pseudonymizer = pseudonymizer
        self.watermark = watermark


class LargeArrival:
    """`ports.Arrival`: sealed, hashed and written as it comes; read through and registered in the end.

    Parameters
    ----------
    source
        As of `IncomingInstance`.
    check
        Raises where this instance is not taken.
    settle
        Called once, in `complete`, with the source: calls what it is given, and counts what came of it.
    """

    def __init__(
        self,
        intake: Intake,
        source: str,
        check: Callable[[InstanceHeader], None],
        settle: Callable[[str, Callable[[], Receipt]], Receipt],
    ) -> None:
        self._intake = intake
        self._source = source
        self._check = check
        self._settle = settle
        self._head = bytearray()
        #: How many bytes of the head there are when the identifiers are looked for next.
        self._look_at = _FIRST_LOOK
        self._size = 0
        self._failure: NodeError | None = None
        self._writing: _Writing | None = None

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """See `ports.Arrival.write`."""
        if self._failure is not None:
            return
        try:
            self._take(part)
        except Exception as exc:  # noqa: BLE001 - kept for `complete`, whose caller answers the sender
            self._failure = exc if isinstance(exc, NodeError) else InternalError.of(exc)
            self.abandon()

    def complete(self) -> Receipt:
        """See `ports.Arrival.complete`."""
        return self._settle(self._source, self._complete)

    def abandon(self) -> None:
        """See `ports.Arrival.abandon`."""
        self._head.clear()
        if self._writing is not None:
            self._writing.blob.abandon()

    def _take(self, part: bytes | bytearray | memoryview) -> None:
        self._size += len(part)
        if self._writing is not None:
            with self._intake.watermark.reserve(len(part)):
                self._writing.digest.update(part)
                self._writing.blob.write(part)
            return
        self._head += part
        if len(self._head) < self._look_at:
            return
        self._look_at = 2 * len(self._head)
        found = scan_beginning(bytes(self._head))
        if found is not None:
            self._begin(found)
        elif len(self._head) > MAX_HEAD:
            raise InvalidInstance(
                f"its UIDs do not stand in its first {MAX_HEAD >> 20} MiB; send it again from its source"
            )

    def _begin(self, found: ScannedInstance) -> _Writing:
        intake, header = self._intake, found.header
        self._check(header)
        slot = intake.slots.get(intake.pseudonymizer.uid(header.study_instance_uid), fresh=True)
        uid = intake.pseudonymizer.uid(header.sop_instance_uid)
        with intake.watermark.reserve(len(self._head)):
            self._writing = _Writing(header, slot, intake.spool.create(slot, f"{uid}.dcm"))
            self._writing.digest.update(memoryview(self._head)[found.dataset_offset :])
            self._writing.blob.write(self._head)
        self._head = bytearray()
        return self._writing

    def _complete(self) -> Receipt:
        if self._failure is not None:
            raise self._failure
        writing = self._writing or self._begin(scan(io.BytesIO(self._head)))
        try:
            ref = writing.blob.commit()
        except BaseException:
            writing.blob.abandon()
            raise
        try:
            self._read_through(ref, writing.header)
        except BaseException:
            self._intake.spool.delete(ref)
            raise
        try:
            return self._intake.spooled.register(
                writing.slot,
                ref,
                writing.header,
                size=self._size,
                sha256=writing.digest.hexdigest(),
                source=self._source,
            )
        except SlotExpired as exc:
            raise StorageFailure("the study was purged while it was stored; send it again") from exc

    def _read_through(self, ref: str, header: InstanceHeader) -> None:
        with self._intake.spool.open(ref) as stream:
            if scan(stream).header != header:
                raise SopClassMismatch("its identifiers stand in it twice; repair the instance")


class _Writing:
    """An arrival whose identifiers are known."""

    def __init__(self, header: InstanceHeader, slot: Slot, blob: BlobWriter) -> None:
        self.header = header
        self.slot = slot
        self.blob = blob
        self.digest: hashlib._Hash = new_digest(header.transfer_syntax_uid)
