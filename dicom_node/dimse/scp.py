"""The DIMSE server: Verification, Storage, and the services that it is given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
from pynetdicom import AE

from dicom_node.dimse.admission import SERVICES, Admission
from dicom_node.dimse.association_server import AssociationMaker
from dicom_node.dimse.contexts import verification_context
from dicom_node.dimse.library import keep_library_quiet
from dicom_node.dimse.limits import CountedLimits, TotalLimits
from dicom_node.dimse.listener import Listener
from dicom_node.dimse.negotiation import Negotiation
from dicom_node.dimse.refusals import Refusals
from dicom_node.dimse.store_service import StoreService
from dicom_node.dimse.tls import handshake_reason

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Sequence

    from dicom_node.dimse.association_server import Secure
    from dicom_node.dimse.limits import Caller, Limits
    from dicom_node.dimse.service import DimseService
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.operation import AuditLog, Metrics

log = structlog.get_logger(__name__)

#: Seconds that a stop waits for instances that are being stored.
_STOP_S = 10.0
#: More associations than any machine has.
_UNLIMITED = 1 << 20


@dataclass(frozen=True, slots=True)
class ServerTimeouts:
    """How long the server waits for a peer, seconds.

    Attributes
    ----------
    artim_s
        From the connection, or the TLS handshake, to the end of the association request (PS3.8 §9.1.5).
    idle_s
        For the next message.
    pdu_s
        Within a PDU for the next byte; a whole PDU may take this and a second for each 64 KiB.
    """

    artim_s: float = 30
    idle_s: float = 30
    pdu_s: float = 30

    @classmethod
    def all(cls, seconds: float) -> ServerTimeouts:
        """The same for each."""
        return cls(seconds, seconds, seconds)


class StorageScp:
    """Takes instances by C-STORE and answers C-ECHO.

    Success is answered only after `Receiver.receive` has returned. Every failure becomes a status
    (`statuses`), a log line with its code and a count; none ends the server.

    Parameters
    ----------
    port
        0 takes a free port; None listens on `tls_port` only.
    admission
        Decides who may call; None admits everybody to all services.
    limits
        Counts callers; None counts those of this server, by the usual limits.
    audit
        Where security refusals are recorded.
    max_pdu
        The longest PDU that peers may send, bytes; 0 is unlimited.
    timeouts
        How long it waits for a peer.
    private_sop_classes
        SOP Classes outside the standard's root that are stored; True for all.
    max_instance_bytes
        A larger instance is answered A701.
    services
        What it offers besides Verification and Storage.
    tls_port
        A second port, whose connections go through `tls`; None: no such port.
    tls
        Secures a connection: called in the association's thread, returns the secured socket, raises OSError
        where the handshake fails.
    ended
        Called with the other end of a connection that was taken when that is done, an association or not.
    tally
        Counts an instance that is refused before the receiver sees it, by sender and code.
    brought
        Called with the other end of a connection and a study's id for each instance that it brought.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int | None,
        ae_title: str,
        receiver: Receiver,
        metrics: Metrics,
        admission: Admission | None = None,
        limits: Limits | None = None,
        audit: AuditLog | None = None,
        max_pdu: int = 65536,
        timeouts: ServerTimeouts | None = None,
        private_sop_classes: Collection[str] | bool = False,
        max_instance_bytes: int = 2 << 30,
        services: Sequence[DimseService] = (),
        tls_port: int | None = None,
        tls: Secure | None = None,
        ended: Callable[[Caller], None] | None = None,
        tally: Callable[[str, str], None] | None = None,
        brought: Callable[[Caller, str], None] | None = None,
    ) -> None:
        keep_library_quiet()
        ports = {name: number for name, number in (("plain", port), ("tls", tls_port)) if number is not None}
        self._address = host, next(iter(ports.values()))
        self._listener = Listener(host, ports)
        self._secure = {} if tls is None else {"tls": partial(self._secured, tls)}
        self._limits: Limits = limits or CountedLimits(TotalLimits())
        self._also_ended = ended
        self._stores = StoreService(receiver, metrics, tally, brought)
        self._max_instance_bytes = max_instance_bytes
        self._refusals = Refusals(metrics, audit)
        self._negotiation = Negotiation(
            admission or Admission(ae_title, other_services=SERVICES),
            self._limits,
            self._refusals,
            metrics,
            private_sop_classes=private_sop_classes,
            services=services,
        )
        timeouts = timeouts or ServerTimeouts()
        self._ae = AE(ae_title=ae_title)
        # `limits` counts, over all processes.
        self._ae.maximum_associations = _UNLIMITED
        self._ae.maximum_pdu_size = max_pdu
        self._ae.acse_timeout = timeouts.artim_s
        self._ae.dimse_timeout = timeouts.idle_s
        self._ae.network_timeout = timeouts.idle_s
        self._pdu_s = timeouts.pdu_s
        self._server: AssociationMaker | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, without TLS where there are two."""
        return self._listener.port

    @property
    def tls_port(self) -> int | None:
        """The port that it listens on with TLS; None without one."""
        return self._listener.tls_port

    def start(self) -> None:
        """Listen, and serve.

        Raises
        ------
        ConfigurationError
            If the port cannot be listened on.
        """
        self._listener.bind()
        self.open()
        self._listener.start(self._accept)
        log.info("dimse.listening", host=self._address[0], port=self.port, ae_title=self._ae.ae_title)

    def open(self) -> None:
        """Get ready for connections that another process accepts and hands over."""
        self._server = AssociationMaker(
            self._ae,
            self._address,
            ae_title=self._ae.ae_title,
            contexts=[verification_context()],
            evt_handlers=self._negotiation.handlers(),
            store=self._stores,
            max_instance_bytes=self._max_instance_bytes,
            pdu_s=self._pdu_s,
            secure=self._secure,
            ended=self._ended,
        )

    def _accept(self, connection: socket.socket, address: Caller, port: str) -> None:
        if self._limits.connect(address):
            self.take(connection, address, port)
        else:
            self._refusals.connection(address[0])
            connection.close()

    def take(self, connection: socket.socket, address: Caller, port: str) -> None:
        """Serve a connection that was accepted and counted; returns at once.

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
            self._ended(address)
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
        if self._listener.has_bound:  # in a receiver process another one does
            log.info("dimse.stopped", port=self.port)

    def _secured(self, tls: Secure, connection: socket.socket) -> socket.socket:
        host = str(connection.getpeername()[0])
        try:
            return tls(connection)
        except OSError as exc:
            self._refusals.handshake(host, handshake_reason(exc))
            raise

    def _ended(self, caller: Caller) -> None:
        self._limits.release(caller)
        if self._also_ended is not None:
            self._also_ended(caller)
