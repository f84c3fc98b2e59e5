"""The DIMSE server: Verification, Storage, and the services that it is given."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from pynetdicom import AE, evt

from dicom_node.dimse.contexts import supported_contexts, verification_context
from dicom_node.dimse.library import keep_library_quiet
from dicom_node.dimse.listener import EventDrivenServer
from dicom_node.dimse.statuses import DimseStatus, status_of_error, status_of_outcome
from dicom_node.domain.errors import (
    ConfigurationError,
    InternalError,
    InvalidInstance,
    NodeError,
    UnsupportedSopClass,
)
from dicom_node.domain.instance import IncomingInstance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

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
    ) -> None:
        keep_library_quiet()
        self._host = host
        self._port = port
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
        self._server: EventDrivenServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigurationError
            If the port cannot be listened on.
        """
        try:
            self._server = EventDrivenServer(
                self._ae,
                (self._host, self._port),
                ae_title=self._ae.ae_title,
                contexts=[verification_context()],
                evt_handlers=[
                    (evt.EVT_REQUESTED, self._requested),
                    (evt.EVT_ACCEPTED, self._accepted),
                    (evt.EVT_ABORTED, self._aborted),
                    *(pair for service in self._services for pair in service.handlers()),
                ],
                store=self._store,
                max_instance_bytes=self._max_instance_bytes,
            )
        except OSError as exc:
            raise ConfigurationError(
                f"dimse: {self._host}:{self._port} cannot be listened on ({exc.strerror});"
                " set dimse.port to a free port"
            ) from exc
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="dimse-listen", daemon=True
        )
        self._thread.start()
        log.info("dimse.listening", host=self._host, port=self.port, ae_title=self._ae.ae_title)

    def stop(self) -> None:
        """Stop listening, let instances that are being stored end, and abort the associations."""
        server, self._server = self._server, None
        if server is None:
            return
        self._port = int(server.server_address[1])
        server.shutdown()
        associations = server.active_associations
        for assoc in associations:
            assoc.abort(block=False)
        deadline = time.monotonic() + _STOP_S
        for assoc in associations:
            assoc.join(max(0.0, deadline - time.monotonic()))
        if self._thread is not None:
            self._thread.join(timeout=_STOP_S)
        log.info("dimse.stopped", port=self._port)

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
            acceptor.supported_contexts = [
                *supported_contexts(proposed, private_sop_classes=self._private_sop_classes),
                *(context for service in self._services for context in service.contexts(proposed)),
            ]

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
