"""Answers association requests: who is let in, with which contexts, in which roles."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import evt
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from dicom_node.dimse.admission import LIMITS, Rejection, Request
from dicom_node.dimse.certificate import peer_certificate
from dicom_node.dimse.contexts import storage_contexts, verification_context
from dicom_node.dimse.user_identity import Identity
from dicom_node.domain.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pynetdicom.presentation import PresentationContext

    from dicom_node.dimse.admission import Admission, Admitted
    from dicom_node.dimse.limits import Limits
    from dicom_node.dimse.refusals import Refusals
    from dicom_node.dimse.service import DimseService
    from dicom_node.ports.operation import Metrics

log = structlog.get_logger(__name__)

#: A-P-ABORT: invalid PDU parameter value (PS3.8 §9.3.8).
_INVALID_PARAMETER = 0x06
#: Rejected-transient, presentation related, temporary congestion (PS3.8 §9.3.4).
UNDECIDED = (2, 3, 1)


class Negotiation:
    """What is done at each step of an association's establishment.

    Parameters
    ----------
    private_sop_classes
        SOP Classes outside the standard that are stored, or True for all.
    services
        What is offered besides Verification and Storage.
    """

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        refusals: Refusals,
        metrics: Metrics,
        *,
        private_sop_classes: Collection[str] | bool = False,
        services: Sequence[DimseService] = (),
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._refusals = refusals
        self._metrics = metrics
        self._private_sop_classes = private_sop_classes
        self._services = tuple(services)

    def handlers(self) -> list[tuple[Any, Callable[[Any], Any]]]:
        """(pynetdicom event, handler) pairs for the server."""
        return [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_SOP_EXTENDED, self._extended),
            (evt.EVT_ASYNC_OPS, self._window),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_ABORTED, self._aborted),
        ]

    def _requested(self, event: Any) -> None:
        """Reject who may not call, and offer what the others propose and may use."""
        try:
            self._decide(event.assoc)
        except Exception as exc:  # noqa: BLE001 - the library would go on and accept
            log.error("association.undecided", reason=str(InternalError.of(exc)))
            self._metrics.count("associations", outcome="rejected-undecided")
            event.assoc.acse.send_reject(*UNDECIDED)
            event.assoc.kill()

    def _decide(self, assoc: Any) -> None:
        request = assoc.requestor.primitive
        proposed = request.presentation_context_definition_list
        if not _is_well_formed(proposed):
            self._metrics.count("associations", outcome="aborted")
            assoc.acse.send_ap_abort(_INVALID_PARAMETER)
            assoc.kill()
            return
        caller = assoc.caller
        verdict = self._admission.judge(_request(assoc))
        if not isinstance(verdict, Rejection):
            reached = self._limits.admit(caller, verdict.peer)
            if reached is not None:
                verdict = LIMITS[reached]
        if isinstance(verdict, Rejection):
            calling = str(request.calling_ae_title).strip()
            self._refusals.association(verdict.outcome, caller[0], calling, security=verdict.security)
            assoc.acse.send_reject(*verdict.fields)
            assoc.kill()
            return
        self._offer(assoc, verdict, proposed)

    def _offer(self, assoc: Any, admitted: Admitted, proposed: Sequence[PresentationContext]) -> None:
        assoc.peer = admitted.peer
        if self._limits.is_paced(admitted.peer):
            assoc.pause = partial(self._limits.pause, admitted.peer)
        assoc.services = tuple(s for s in self._services if s.name in admitted.services)
        # Who proposes to be SCP of a Storage SOP Class will be sent instances; of others, sends reports.
        proposed_roles = assoc.requestor.role_selection
        roles = {str(uid): bool(item.scp_role) for uid, item in proposed_roles.items()}
        stores = "store" in admitted.services
        sends = any(service.name == "retrieve" for service in assoc.services)
        storage = [
            context
            for context in storage_contexts(proposed, private_sop_classes=self._private_sop_classes)
            if stores or (sends and roles.get(str(context.abstract_syntax)))
        ]
        for context in storage:
            if str(context.abstract_syntax) in roles:
                context.scu_role, context.scp_role = stores, sends
        offered = [context for service in assoc.services for context in service.contexts(proposed)]
        for context in offered:
            if str(context.abstract_syntax) in roles:
                context.scu_role = context.scp_role = True
        assoc.acceptor.supported_contexts = [verification_context(), *storage, *offered]
        identity = assoc.requestor.user_identity
        if admitted.user is not None and identity is not None and identity.positive_response_requested:
            # The library answers tickets only; for names the answer is empty (PS3.7 §D.3.3.7.2).
            confirmation = UserIdentityNegotiation()
            confirmation.server_response = b""
            assoc.acceptor.add_negotiation_item(confirmation)

    @staticmethod
    def _extended(event: Any) -> dict[Any, bytes]:
        """Answer the extended negotiation of the services; none for Storage, whose levels promise nothing."""
        answers = {}
        for sop_class_uid, proposed in event.app_info.items():
            for service in event.assoc.services:
                answer = service.extended(str(sop_class_uid), proposed)
                if answer is not None:
                    answers[sop_class_uid] = answer
        return answers

    @staticmethod
    def _window(_event: Any) -> tuple[int, int]:
        """One operation at a time, whatever is proposed (PS3.7 §D.3.3.3)."""
        return 1, 1

    def _accepted(self, event: Any) -> None:
        self._metrics.count("associations", outcome="accepted")
        assoc = event.assoc
        log.info("association.accepted", peer=assoc.peer, ae_title=str(assoc.requestor.ae_title).strip())

    def _aborted(self, event: Any) -> None:
        self._metrics.count("associations", outcome="aborted")
        log.warning("association.aborted", ae_title=str(event.assoc.requestor.ae_title or "").strip())


def _is_well_formed(proposed: Sequence[PresentationContext]) -> bool:
    """Whether each context has an identifier of its own, an abstract syntax and a transfer syntax.

    References
    ----------
    PS3.8 §9.3.2.2.
    """
    identifiers = {context.context_id for context in proposed}
    return len(identifiers) == len(proposed) and all(
        context.abstract_syntax and context.transfer_syntax for context in proposed
    )


def _request(assoc: Any) -> Request:
    primitive = assoc.requestor.primitive
    connection = None if assoc.dul.socket is None else assoc.dul.socket.socket
    secured = connection if isinstance(connection, ssl.SSLSocket) else None
    return Request(
        calling_ae_title=str(primitive.calling_ae_title),
        called_ae_title=str(primitive.called_ae_title),
        host=assoc.caller[0],
        is_secured=secured is not None,
        certificate=None if secured is None else peer_certificate(secured),
        identity=_identity(assoc.requestor.user_identity),
        application_context=str(primitive.application_context_name),
    )


def _identity(item: Any) -> Identity | None:
    if item is None:
        return None
    return Identity(
        int(item.user_identity_type or 0),
        bytes(item.primary_field or b""),
        bytes(item.secondary_field or b""),
    )
