"""The C-STORE sub-operations of a retrieval: sent, counted, and summed up in the final response.

References
----------
PS3.4 §C.4.2.1.6 to C.4.2.1.8 and §C.4.3.1.4 (statuses and counts); PS3.7 §9.1.3 and §9.1.4.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_node.dimse.encoded_store import choose_context, encoded_data_set
from dicom_node.dimse.paced_sending import AssociationEnded, send_streamed
from dicom_node.dimse.query_statuses import CANNOT_PERFORM, SUB_OPERATIONS_FAILED, SUCCESS
from dicom_node.dimse.statuses import is_stored
from dicom_node.dimse.store_message import encode_request
from dicom_node.domain.errors import NodeError
from dicom_node.pipeline.element_sources import PlainSource
from dicom_node.pipeline.element_walk import read_file_meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.store_message import Originator
    from dicom_node.domain.catalog_record import CatalogRecord

_PREAMBLE: Final = 132
_PART: Final = 1 << 18
#: UIDs of failed instances that are listed: more do not fit an element of explicit VR.
_MOST_LISTED: Final = 1000


class CannotSend(Exception):
    """One instance cannot be sent; the message says why, without identity."""


@dataclass(slots=True)
class Counts:
    """Sub-operations so far.

    Attributes
    ----------
    failed_uids
        Of instances that the peer does not have.
    reason
        Why the last one failed.
    """

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)
    reason: str = ""

    def fail(self, sop_instance_uid: str, reason: str) -> None:
        """Count one that failed."""
        self.failed += 1
        self.failed_uids.append(sop_instance_uid)
        self.reason = reason

    def fields(self, *, final: bool) -> dict[str, int]:
        """The counts as attributes of a response; remaining ones are not in a final one."""
        counts = {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": self.failed,
            "NumberOfWarningSuboperations": self.warning,
        }
        return counts if final else {"NumberOfRemainingSuboperations": self.remaining, **counts}

    @property
    def status(self) -> int:
        """What the final response says."""
        if not self.failed and not self.warning:
            return SUCCESS
        return SUB_OPERATIONS_FAILED if self.completed or self.warning else CANNOT_PERFORM

    def identifier(self, encoding: tuple[bool, bool, bool]) -> bytes | None:
        """The identifier of a final response: which instances failed; `None` where none did."""
        if not self.failed_uids:
            return None
        ds = Dataset()
        ds.FailedSOPInstanceUIDList = self.failed_uids[:_MOST_LISTED]
        written = encode(ds, *encoding)
        return None if written is None else bytes(written)


def store(
    assoc: Any,
    contexts: Sequence[PresentationContext],
    record: CatalogRecord,
    open_blob: Callable[[str], BinaryIO],
    *,
    message_id: int,
    originator: Originator | None = None,
) -> int:
    """Send one instance, part by part, and return the status of the response.

    An instance goes out in its own transfer syntax where the peer takes it; an uncompressed one else in
    another uncompressed one, for which it is converted in memory.

    Parameters
    ----------
    contexts
        In which the peer is SCP of the instance's SOP Class.

    Raises
    ------
    CannotSend
    AssociationEnded
        If the peer does not answer; the association is aborted then.
    """
    context = choose_context(list(contexts), record.sop_class_uid, record.transfer_syntax_uid)
    if context is None or context.context_id is None:
        raise CannotSend("the peer takes neither its SOP Class in its transfer syntax nor another way")
    send_as = str(context.transfer_syntax[0])
    command = encode_request(message_id, record.sop_class_uid, record.sop_instance_uid, originator)
    try:
        stream = open_blob(record.ref)
    except NodeError as exc:
        raise CannotSend(str(exc)) from exc
    with stream:
        try:
            parts = _parts(stream, record.transfer_syntax_uid, send_as)
            first = next(parts)
        except CannotSend:
            raise
        except Exception as exc:  # the library that converts raises anything, and quotes values
            raise CannotSend("the instance cannot be read, or not converted to what the peer takes") from exc
        try:
            send_streamed(assoc, context.context_id, command, _chained(first, parts))
        except (NodeError, OSError) as exc:
            # Half a message is out: nothing else can be sent over this association.
            assoc.abort()
            raise AssociationEnded from exc
    return _status(assoc, message_id)


def outcome(counts: Counts, record: CatalogRecord, status: int) -> None:
    """Count what a peer answered to a C-STORE."""
    if status == SUCCESS:
        counts.completed += 1
    elif is_stored(status):
        counts.warning += 1
    else:
        counts.fail(record.sop_instance_uid, f"the peer answers {status:04X}")


def _status(assoc: Any, message_id: int) -> int:
    while True:
        _, response = assoc.dimse.get_msg(block=True)
        if response is None:
            break
        if isinstance(response, C_STORE) and response.MessageIDBeingRespondedTo == message_id:
            if response.Status is None:
                break
            return int(response.Status)
        if isinstance(response, C_STORE):
            continue
        break  # another request while this one runs: asynchronous operations were not negotiated
    if assoc.is_established:
        assoc.abort()
    raise AssociationEnded


def _parts(stream: BinaryIO, stored_as: str, send_as: str) -> Iterator[bytes]:
    """The data set of a Part 10 stream in a transfer syntax, of even length."""
    stream.seek(_PREAMBLE)
    _, meta = read_file_meta(PlainSource(stream), frozenset())
    offset = _PREAMBLE + meta
    if stored_as != send_as:
        stream.seek(0)
        yield encoded_data_set(stream.read(), offset, stored_as, send_as)
        return
    size = stream.seek(0, io.SEEK_END) - offset
    if size % 2 and stored_as != DeflatedExplicitVRLittleEndian:
        raise CannotSend("the data set has an odd length")
    stream.seek(offset)
    while part := stream.read(_PART):
        yield part
    if size % 2:
        yield b"\0"  # PS3.5 §A.5


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
