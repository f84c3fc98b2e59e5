"""C-STORE requests handed to the receive stage; what comes of it is a status."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from dicom_node.dimse.statuses import DimseStatus, status_of_error, status_of_outcome
from dicom_node.domain.errors import InternalError, InvalidInstance, NodeError, UnsupportedSopClass
from dicom_node.domain.instance import IncomingInstance

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from dicom_node.dimse.limits import Caller
    from dicom_node.dimse.store_message import StoreRequest
    from dicom_node.domain.instance import Receipt
    from dicom_node.ports.ingest import Arrival, Brought, Receiver
    from dicom_node.ports.operation import Metrics

log = structlog.get_logger(__name__)

_SOURCE = "dimse"


class StoreService:
    """Serves C-STORE requests; nothing here raises: whatever happens, the peer gets a status.

    Parameters
    ----------
    tally
        Counts an instance that is refused before the receiver sees it, by sender and code.
    brought
        Called with the caller and the id of the study for each instance that was taken.
    """

    def __init__(
        self,
        receiver: Receiver,
        metrics: Metrics,
        tally: Callable[[str, str], None] | None = None,
        brought: Callable[[Caller, str], None] | None = None,
    ) -> None:
        self._receiver = receiver
        self._metrics = metrics
        self._tally = tally
        self._brought = brought

    def store(self, request: StoreRequest, stream: BinaryIO, caller: Caller) -> DimseStatus:
        """Store an instance that is in memory."""
        refused = self._check(request)
        if refused is not None:
            return refused
        incoming = IncomingInstance(
            stream=stream,
            source=_source(request),
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
        )
        return _status(request, lambda: self._receiver.receive(incoming), self._noting(caller))

    def begin(self, request: StoreRequest, caller: Caller) -> LargeStore:
        """Begin to store an instance that is too large for memory."""
        refused = self._check(request)
        if refused is not None:
            return LargeStore(request, refused)
        arrival = self._receiver.begin(_source(request), request.sop_class_uid, request.sop_instance_uid)
        return LargeStore(request, arrival, self._noting(caller))

    def _noting(self, caller: Caller) -> Brought:
        brought = self._brought
        return _note_nothing if brought is None else partial(brought, caller)

    def _check(self, request: StoreRequest) -> DimseStatus | None:
        if not request.has_data_set:
            error: NodeError = InvalidInstance("the C-STORE request has no data set; check the sender")
        elif request.sop_class_uid != request.abstract_syntax:
            error = UnsupportedSopClass("the SOP Class is not the one negotiated for its context")
        else:
            return None
        self._metrics.count("instances_refused", source=_SOURCE, code=error.code)
        if self._tally is not None:
            self._tally(_source(request), error.code)
        return _refused(request, error)


class LargeStore:
    """One C-STORE whose data set is stored while it arrives: completed or abandoned in the end.

    Parameters
    ----------
    arrival
        Where it goes; the status of one that is refused already.
    brought
        Called with the id of its study once it was taken.
    """

    def __init__(
        self, request: StoreRequest, arrival: Arrival | DimseStatus, brought: Brought | None = None
    ) -> None:
        self._request = request
        self._arrival = arrival
        self._brought = brought or _note_nothing

    def write(self, part: memoryview) -> None:
        """Take the next bytes."""
        if not isinstance(self._arrival, DimseStatus):
            self._arrival.write(part)

    def complete(self) -> DimseStatus:
        """Make it durable, or say why not."""
        if isinstance(self._arrival, DimseStatus):
            return self._arrival
        return _status(self._request, self._arrival.complete, self._brought)

    def abandon(self) -> None:
        """Leave nothing of it."""
        if not isinstance(self._arrival, DimseStatus):
            self._arrival.abandon()


def _status(request: StoreRequest, work: Callable[[], Receipt], brought: Brought) -> DimseStatus:
    try:
        receipt = work()
        brought(receipt.study_id)
    except NodeError as exc:
        return _refused(request, exc)
    except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
        return _refused(request, InternalError.of(exc))
    return status_of_outcome(receipt.outcome)


def _note_nothing(_study_id: str) -> None:
    return None


def _source(request: StoreRequest) -> str:
    return f"{_SOURCE}:{request.calling_ae_title}"


def _refused(request: StoreRequest, error: NodeError) -> DimseStatus:
    status = status_of_error(error)
    log.warning(
        "store.refused", ae_title=request.calling_ae_title, code=error.code, status=f"{status.code:04X}"
    )
    return status
