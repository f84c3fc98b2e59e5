"""Storage Commitment Push Model on associations that peers open: their requests, and reports on ours.

References
----------
PS3.4 §J.3.2 (N-ACTION), §J.3.3 (N-EVENT-REPORT), §J.3.4 (on which association).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydicom.uid import UID
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT

from dicom_node.dimse.commitment_messages import (
    ALL_COMMITTED,
    REQUEST,
    SOME_FAILED,
    SOP_CLASS,
    WELL_KNOWN_INSTANCE,
    MalformedCommitment,
    encoded,
    event_type,
    proposed_context,
    read_report,
    read_request,
    report_data_set,
)
from dicom_node.dimse.paced_sending import AssociationEnded, is_open, send_message
from dicom_node.dimse.served_request import ServedRequest
from dicom_node.dimse.statuses import SUCCESS, describe
from dicom_node.domain.errors import DeliveryFailed, InternalError, NodeError, OutOfResources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pynetdicom.presentation import PresentationContext

    from dicom_node.domain.commitment import CommitmentReport
    from dicom_node.pipeline.commitment import CommitmentDesk

log = structlog.get_logger(__name__)

#: Of N-ACTION and N-EVENT-REPORT (PS3.7 §10.1.1.1.8 and §10.1.4.1.10).
_FAILURE: Final = 0x0110
_NO_SUCH_INSTANCE: Final = 0x0112
_NO_SUCH_EVENT_TYPE: Final = 0x0113
_INVALID_ARGUMENT: Final = 0x0115
_NO_SUCH_ACTION: Final = 0x0123
_RESOURCE_LIMITATION: Final = 0x0213
#: Seconds between two looks whether the peer is about to leave.
_LOOK_S: Final = 0.25


class CommitmentScp:
    """A `service.DimseService` that takes requests, and reports on requests of this node."""

    name = "commitment"

    def __init__(self, desk: CommitmentDesk) -> None:
        self._desk = desk

    def contexts(self, proposed: Sequence[PresentationContext]) -> Sequence[PresentationContext]:
        """See `service.DimseService`."""
        asked = any(str(context.abstract_syntax) == SOP_CLASS for context in proposed)
        return [proposed_context()] if asked else []

    def extended(self, sop_class_uid: str, proposed: bytes) -> bytes | None:
        """See `service.DimseService`; there is nothing to negotiate."""
        del sop_class_uid, proposed
        return None

    def serve(self, assoc: Any, message: Any, context: PresentationContext) -> bool:
        """See `service.DimseService`."""
        if not isinstance(message, N_ACTION | N_EVENT_REPORT) or message.MessageID is None:
            return False
        request = ServedRequest(assoc, message, context)
        if request.sop_class_uid != SOP_CLASS:
            return False
        order_id = None
        try:
            if isinstance(message, N_ACTION):
                status, comment, order_id = self._take(request)
            else:
                status, comment = self._settle(request)
            request.respond(status, comment)
            log.info(
                "commitment.answered",
                ae_title=request.calling_ae_title,
                action="N-ACTION" if isinstance(message, N_ACTION) else "N-EVENT-REPORT",
                status=f"{status:04X}",
                reason=comment,
            )
            if order_id is not None:
                self._desk.answer(order_id, lambda report: _report(request, report))
        except AssociationEnded:
            pass  # the report goes over another association
        except Exception as exc:  # noqa: BLE001 - what is due is reported by who looks for it later
            error = exc if isinstance(exc, NodeError) else InternalError.of(exc)
            log.warning("commitment.unreported", code=error.code, reason=str(error))
        return True

    def _take(self, request: ServedRequest) -> tuple[int, str, str | None]:
        """Status, comment, and the order's id where it was taken."""
        message = request.message
        if str(message.RequestedSOPInstanceUID or "") != WELL_KNOWN_INSTANCE:
            return _NO_SUCH_INSTANCE, "the well-known Storage Commitment instance is needed", None
        if message.ActionTypeID != REQUEST:
            return _NO_SUCH_ACTION, "the only action is 1, request", None
        if message.ActionInformation is None:
            return _INVALID_ARGUMENT, "the request has no data set", None
        try:
            transaction, objects = read_request(message.ActionInformation.getvalue(), request.encoding)
            return SUCCESS, "", self._desk.take(request.calling_ae_title, transaction, objects)
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            return *_failure(exc), None

    def _settle(self, request: ServedRequest) -> tuple[int, str]:
        message = request.message
        if str(message.AffectedSOPInstanceUID or "") != WELL_KNOWN_INSTANCE:
            return _NO_SUCH_INSTANCE, "the well-known Storage Commitment instance is needed"
        if message.EventTypeID not in (ALL_COMMITTED, SOME_FAILED):
            return _NO_SUCH_EVENT_TYPE, "the event types are 1 and 2"
        if message.EventInformation is None:
            return _INVALID_ARGUMENT, "the report has no data set"
        try:
            report = read_report(message.EventInformation.getvalue(), request.encoding)
            if not self._desk.settle(report, request.calling_ae_title):
                return _INVALID_ARGUMENT, "you were not asked for this transaction"
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            return _failure(exc)
        return SUCCESS, ""


def _failure(error: Exception) -> tuple[int, str]:
    if isinstance(error, MalformedCommitment):
        return _INVALID_ARGUMENT, str(error)
    if isinstance(error, OutOfResources):
        return _RESOURCE_LIMITATION, str(error)
    return _FAILURE, str(error if isinstance(error, NodeError) else InternalError.of(error))


def _report(request: ServedRequest, report: CommitmentReport) -> None:
    """Send a report over the association that the request came by.

    Raises
    ------
    DeliveryFailed
        If the peer leaves, or does not take it.
    """
    assoc = request.assoc
    message = N_EVENT_REPORT()
    message.MessageID = 1
    message.AffectedSOPClassUID = UID(SOP_CLASS)
    message.AffectedSOPInstanceUID = UID(WELL_KNOWN_INSTANCE)
    message.EventTypeID = event_type(report)
    message.EventInformation = encoded(report_data_set(report), request.encoding)
    try:
        send_message(assoc, request.context_id, message)
    except AssociationEnded as exc:
        raise DeliveryFailed(str(exc)) from exc
    response = _response(assoc)
    if response is None or response.Status is None:
        raise DeliveryFailed("the peer left before it answered; it gets the report by another association")
    if response.Status != SUCCESS:
        raise DeliveryFailed(f"the peer answered {describe(int(response.Status))}")


def _response(assoc: Any) -> Any:
    """The peer's response; `None` where it leaves, says something else, or nothing in time."""
    deadline = time.monotonic() + float(assoc.dimse_timeout or 30)
    while is_open(assoc) and time.monotonic() < deadline:
        assoc.dul.activity.clear()
        context_id, message = assoc.dimse.get_msg(block=False)
        if isinstance(message, N_EVENT_REPORT):
            return message
        if message is not None:
            assoc.dimse.msg_queue.put((context_id, message))  # it is served next
            return None
        assoc.dul.activity.wait(_LOOK_S)
    return None
