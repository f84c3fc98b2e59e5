"""The DIMSE server: Verification, Storage, and the services that it is given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import AE, evt

from dicom_node.dimse.association_server import AssociationMaker
from dicom_node.dimse.contexts import supported_contexts, verification_context
from dicom_node.dimse.library import keep_library_quiet
from dicom_node.dimse.listener import Listener
from dicom_node.dimse.statuses import DimseStatus, status_of_error, status_of_outcome
from dicom_node.domain.errors import (
    InternalError,
    InvalidInstance,
    NodeError,
    UnsupportedSopClass,
)
from dicom_node.domain.instance import IncomingInstance

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    from dicom_node.dimse.association_server import Secure
    from dicom_node.dimse.service import DimseService
    from dicom_node.dimse.store_message import StoreRequest
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import Metrics

log = structlog.get_logger(__name__)

_SOURCE = "dimse"
#: Seconds that a stop waits for instances that are being stored.
_STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM peer by its configured name."""

    name: str
    ae_title: str
    host: str
    port: int


class StorageScp:
    """Takes instances by C-STORE and answers C-ECHO.

    Success is answered only after `Receiver.receive` has returned. Every failure becomes a status
    (`statuses`), a log line with its code and a count; none ends the server.

    Parameters
    ----------
    port
        0 takes a free port.
    peers
        Whose AE titles may call, where `allow_list` is set.
    allow_list
        Whether other calling AE titles are rejected (PS3.8 §9.3.4: calling-AE-title-not-recognized).
    require_called_ae_title
        Whether associations that call another AE title are rejected (called-AE-title-not-recognized).
    max_associations
        More are rejected for the moment (local-limit-exceeded).
    max_pdu
        The longest PDU that peers may send, bytes; 0 is unlimited.
    timeout_s
        Seconds without a message, or within a PDU without a byte, before an association is aborted.
    private_sop_classes
        Whether SOP Classes outside the standard's root are negotiated.
    max_instance_bytes
        A larger instance is answered A701; one is held in memory for each association.
    services
        What it offers besides Verification and Storage.
    tls_port
        A second port, whose connections go through `secure["tls"]`; `None`: no such port.
    secure
        Secures the connections of a port, by its name (`plain`, `tls`): called in the association's thread,
        returns the secured socket, raises OSError where the handshake fails.
    ended
        Called when a connection that was taken is done, an association or not.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        ae_title: str,
        receiver: Receiver,
        metrics: Metrics,
        peers: Sequence[Peer] = (),
        allow_list: bool = False,
        require_called_ae_title: bool = False,
        max_associations: int = 32,
        max_pdu: int = 65536,
        timeout_s: float = 30,
        private_sop_classes: bool = False,
        max_instance_bytes: int = 2 << 30,
        services: Sequence[DimseService] = (),
        tls_port: int | None = None,
        secure: Mapping[str, Secure] | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        keep_library_quiet()
        ports = {"plain": port} if tls_port is None else {"plain": port, "tls": tls_port}
        self._address = host, port
        self._listener = Listener(host, ports)
        self._secure = dict(secure or {})
        self._ended = ended
        self._receiver = receiver
        self._metrics = metrics
        self._allowed = tuple(peer.ae_title.strip() for peer in peers) if allow_list else None
        self._private_sop_classes = private_sop_classes
        self._max_instance_bytes = max_instance_bytes
        self._services = tuple(services)
        self._ae = AE(ae_title=ae_title)
        self._ae.require_called_aet = require_called_ae_title
        self._ae.maximum_associations = max_associations
        self._ae.maximum_pdu_size = max_pdu
        self._ae.acse_timeout = timeout_s
        self._ae.dimse_timeout = timeout_s
        self._ae.network_timeout = timeout_s
        self._server: AssociationMaker | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._listener.port()

    def start(self) -> None:
        """Listen, and serve.

        Raises
        ------
        ConfigurationError
            If the port cannot be listened on.
        """
        self._listener.bind()
        self.open()
        self._listener.start(self.take)
        log.info("dimse.listening", host=self._address[0], port=self.port, ae_title=self._ae.ae_title)

    def open(self) -> None:
        """Get ready for connections that another process accepts and hands over."""
        self._server = AssociationMaker(
            self._ae,
            self._address,
            ae_title=self._ae.ae_title,
            contexts=[verification_context()],
            evt_handlers=[
                (evt.EVT_REQUESTED, self._requested),
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_ABORTED, self._aborted),
                (evt.EVT_SOP_EXTENDED, self._extended),
            ],
            store=self._store,
            max_instance_bytes=self._max_instance_bytes,
            secure=self._secure,
            ended=self._ended,
        )

    def take(self, connection: socket.socket, address: tuple[str, int], port: str) -> None:
        """Serve a connection that was accepted; returns at once.

        Parameters
        ----------
        address
            The peer's.
        port
            The name of the port that it came in by: `plain` or `tls`.
        """
        server = self._server
        if server is None:
            connection.close()
            self._ended()
        else:
            server.take(connection, address, port)

    def stop(self) -> None:
        """Stop listening, let instances that are being stored end, and abort the associations."""
        self._listener.stop()
        server, self._server = self._server, None
        if server is None:
            return
        associations = server.active_associations
        for assoc in associations:
            assoc.abort(block=False)
        deadline = time.monotonic() + _STOP_S
        for assoc in associations:
            assoc.join(max(0.0, deadline - time.monotonic()))
        log.info("dimse.stopped", port=self.port)

    def _requested(self, event: Any) -> None:
        """Reject who may not call, and offer what the others propose."""
        assoc = event.assoc
        request = assoc.requestor.primitive
        calling = str(request.calling_ae_title).strip()
        called = str(request.called_ae_title).strip()
        acceptor = assoc.acceptor
        if self._allowed is not None and calling not in self._allowed:
            self._reject(assoc, "rejected-calling-ae-title", calling, (0x01, 0x01, 0x03))
        elif self._ae.require_called_aet and called != acceptor.ae_title.strip():
            self._reject(assoc, "rejected-called-ae-title", calling, (0x01, 0x01, 0x07))
        elif sum(a.is_acceptor for a in self._ae.active_associations) > self._ae.maximum_associations:
            self._reject(assoc, "rejected-limit", calling, (0x02, 0x03, 0x02))
        else:
            proposed = request.presentation_context_definition_list
            supported = [
                *supported_contexts(proposed, private_sop_classes=self._private_sop_classes),
                *(context for service in self._services for context in service.contexts(proposed)),
            ]
            # Who proposes to be SCP of a SOP Class will be sent instances, or sends reports.
            for context in supported:
                if context.abstract_syntax in assoc.requestor.role_selection:
                    context.scu_role = context.scp_role = True
            acceptor.supported_contexts = supported
            assoc.services = self._services

    def _extended(self, event: Any) -> dict[Any, bytes]:
        answers = {}
        for sop_class_uid, proposed in event.app_info.items():
            for service in event.assoc.services:
                answer = service.extended(str(sop_class_uid), proposed)
                if answer is not None:
                    answers[sop_class_uid] = answer
        return answers

    def _reject(self, assoc: Any, outcome: str, calling: str, why: tuple[int, int, int]) -> None:
        assoc.acse.send_reject(*why)
        self._metrics.count("associations", outcome=outcome)
        log.warning("association.rejected", ae_title=calling, reason=outcome)
        assoc.kill()

    def _accepted(self, event: Any) -> None:
        self._metrics.count("associations", outcome="accepted")
        log.info("association.accepted", ae_title=str(event.assoc.requestor.ae_title).strip())

    def _aborted(self, event: Any) -> None:
        self._metrics.count("associations", outcome="aborted")
        log.warning("association.aborted", ae_title=str(event.assoc.requestor.ae_title or "").strip())

    def _store(self, request: StoreRequest, stream: BinaryIO) -> DimseStatus:
        """Serve one C-STORE; never raises."""
        try:
            self._check(request)
        except NodeError as exc:
            self._metrics.count("instances_refused", source=_SOURCE, code=exc.code)
            return self._refused(request, exc)
        try:
            receipt = self._receiver.receive(
                IncomingInstance(
                    stream=stream,
                    source=f"{_SOURCE}:{request.calling_ae_title}",
                    sop_class_uid=request.sop_class_uid,
                    sop_instance_uid=request.sop_instance_uid,
                )
            )
        except NodeError as exc:
            return self._refused(request, exc)
        except Exception as exc:  # noqa: BLE001 - the protocol edge: whatever happens, the peer gets a status
            return self._refused(request, InternalError.of(exc))
        return status_of_outcome(receipt.outcome)

    @staticmethod
    def _check(request: StoreRequest) -> None:
        if not request.has_data_set:
            raise InvalidInstance("the C-STORE request has no data set; check the sender")
        if request.sop_class_uid != request.abstract_syntax:
            raise UnsupportedSopClass("the SOP Class is not the one negotiated for its context")

    @staticmethod
    def _refused(request: StoreRequest, error: NodeError) -> DimseStatus:
        status = status_of_error(error)
        log.warning(
            "store.refused", ae_title=request.calling_ae_title, code=error.code, status=f"{status.code:04X}"
        )
        return status
