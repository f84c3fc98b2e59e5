"""C-GET as a client, Study Root: instances arrive over the association that asks for them.

References
----------
PS3.4 §C.4.3, §C.5.3 (C-GET, role selection); PS3.7 §D.3.3.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from dicom_node.dimse.contexts import MAX_CONTEXTS, UNCOMPRESSED
from dicom_node.dimse.retrieval import perform
from dicom_node.dimse.statuses import SUCCESS, DimseStatus, status_of_error
from dicom_node.dimse.store_service import LargeStore
from dicom_node.domain.errors import (
    ArchiveRefused,
    InternalError,
    InvalidInstance,
    NodeError,
    OutOfResources,
)
from dicom_node.pipeline.accepted import storage_sop_classes, transfer_syntaxes
from dicom_node.pipeline.header import scan, scan_beginning
from dicom_node.pipeline.large_arrival import MAX_HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import BinaryIO

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.request_line import RequestLine
    from dicom_node.dimse.retrieval import SubOperations, Wanted
    from dicom_node.dimse.store_message import StoreRequest
    from dicom_node.domain.instance import InstanceHeader, Receipt
    from dicom_node.ports.archive import Intake
    from dicom_node.ports.ingest import Arrival

log = structlog.get_logger(__name__)

_C_GET_RQ: Final = 0x0010
_NOT_ASKED_FOR: Final = "this instance was not asked for"


def get_lots(sop_classes: Collection[str]) -> Iterator[list[PresentationContext]]:
    """Contexts for the associations that are needed to get instances of these SOP Classes.

    Where they all fit into one association each compressed transfer syntax has a context of its own, so that
    an instance comes as it is stored; else one context holds all that are compressed.

    Parameters
    ----------
    sop_classes
        Empty for every Storage SOP Class of the standard.
    """
    get = build_context(
        StudyRootQueryRetrieveInformationModelGet, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    )
    compressed = sorted(transfer_syntaxes() - set(UNCOMPRESSED))
    plain = list(UNCOMPRESSED[:2])
    room = MAX_CONTEXTS - 1
    wanted = sorted(sop_classes or storage_sop_classes())
    apart = len(wanted) * (len(compressed) + 1) <= room
    ways = [plain, *([uid] for uid in compressed)] if apart else [plain, compressed]
    each = room // len(ways) if not apart else len(wanted)
    for start in range(0, len(wanted), each):
        lot = wanted[start : start + each]
        yield [get, *(build_context(uid, way) for uid in lot for way in ways)]


def get_roles(contexts: Collection[PresentationContext]) -> list[Any]:
    """Role selection: the node is SCP of the Storage SOP Classes that it proposes."""
    classes = dict.fromkeys(str(context.abstract_syntax) for context in contexts)
    classes.pop(str(StudyRootQueryRetrieveInformationModelGet))
    return [build_role(uid, scp_role=True) for uid in classes]


class GetReceiver:
    """Takes the C-STORE requests of a C-GET, and answers each once its instance is durable."""

    def __init__(self, name: str, study_instance_uid: str, intake: Intake) -> None:
        self._name = name
        self._study_instance_uid = study_instance_uid
        self._intake = intake
        #: What ends the work; kept until its instance is answered.
        self.fatal: Exception | None = None

    def store(self, request: StoreRequest, stream: BinaryIO) -> DimseStatus:
        """Serve one request; never raises."""
        error: NodeError | None
        try:
            if not self._belongs(stream):
                return DimseStatus(0xC000, _NOT_ASKED_FOR)
            error = self._intake.take(request.sop_instance_uid, stream)
        except Exception as exc:  # noqa: BLE001 - the protocol edge: the peer gets a status, then the work ends
            self.fatal = exc
            error = exc if isinstance(exc, NodeError) else InternalError.of(exc)
        return DimseStatus(SUCCESS) if error is None else status_of_error(error)

    def begin(self, request: StoreRequest) -> LargeStore:
        """Serve a request whose instance is too large for memory."""
        return LargeStore(request, _LargeTaken(self, self._intake.begin()))

    def is_of_study(self, header: InstanceHeader) -> bool:
        """Whether an instance is one that may have been asked for; another is not kept."""
        belongs = header.study_instance_uid == self._study_instance_uid
        if not belongs:
            log.warning("archive.sent_something_else", peer=self._name)
        return belongs

    def _belongs(self, stream: BinaryIO) -> bool:
        try:
            header = scan(stream).header
        except NodeError:
            return True  # the receive stage says what is wrong with it
        finally:
            stream.seek(0)
        return self.is_of_study(header)

    def tick(self) -> None:
        """Raise where the work is to end."""
        if self.fatal is not None:
            raise self.fatal
        self._intake.check()


class _LargeTaken:
    """`ports.Arrival` of an instance that is looked at while it arrives."""

    def __init__(self, receiver: GetReceiver, arrival: Arrival) -> None:
        self._receiver = receiver
        self._arrival = arrival
        self._head = bytearray()
        self._belongs: bool | None = None

    def write(self, part: bytes | bytearray | memoryview) -> None:
        """See `ports.Arrival.write`."""
        if self._belongs is None:
            self._head += part
            self._belongs = self._look()
        if self._belongs is not False:
            self._arrival.write(part)

    def complete(self) -> Receipt:
        """See `ports.Arrival.complete`."""
        if self._belongs is False:
            self.abandon()
            raise InvalidInstance(_NOT_ASKED_FOR)
        try:
            return self._arrival.complete()
        except OutOfResources as exc:
            self._receiver.fatal = exc
            raise

    def abandon(self) -> None:
        """See `ports.Arrival.abandon`."""
        self._arrival.abandon()

    def _look(self) -> bool | None:
        """Whether it belongs; `None` where more of it must be seen."""
        try:
            found = scan_beginning(bytes(self._head))
        except NodeError:
            return True  # the receive stage says what is wrong with it
        if found is None:
            return True if len(self._head) > MAX_HEAD else None
        self._head.clear()
        return self._receiver.is_of_study(found.header)


def get(line: RequestLine, name: str, wanted: Wanted, tick: Callable[[], object]) -> SubOperations:
    """Have instances sent over this association.

    Raises
    ------
    ArchiveFailed, ArchiveRefused
    """
    context = line.context(StudyRootQueryRetrieveInformationModelGet)
    if context is None:
        raise ArchiveRefused(
            f"{name}: does not offer C-GET; set `retrieve: move` for it, or allow C-GET there"
        )
    return perform(line, name, ("C-GET", _C_GET_RQ), context, wanted, tick)
