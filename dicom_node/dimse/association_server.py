"""Makes event-driven associations of connections that somebody else accepted."""

# ruff: noqa: SLF001 - see `overridden`

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicom_node.dimse.closing_socket import ClosingSocket
from dicom_node.dimse.reactor import EventDrivenAssociation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dicom_node.dimse.store_service import StoreService

    #: Secures a connection (TLS), in the thread of its association; raises OSError where that fails.
    Secure = Callable[[socket.socket], socket.socket]

#: `struct timeval`: seconds and microseconds.
_TIMEVAL = struct.Struct("@ll")


class _Handler(RequestHandler):  # type: ignore[misc] # the library is untyped
    """Makes the association of an accepted connection."""

    server: AssociationMaker

    def _create_association(self) -> EventDrivenAssociation:
        ae = self.ae
        server = self.server
        assoc = EventDrivenAssociation(
            ae, self.client_address, server.store, server.max_instance_bytes, server.pdu_s, server.ended
        )
        assoc._server = self.server
        assoc.name = f"AcceptorThread@{self.client_address[1]}"
        assoc.set_socket(ClosingSocket(assoc, client_socket=self.request))
        acceptor = assoc.acceptor
        acceptor.maximum_length = ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = ae.implementation_class_uid
        acceptor.implementation_version_name = ae.implementation_version_name
        acceptor.supported_contexts = list(self.server.contexts)
        assoc.requestor.address_info = self.remote
        for event, handlers in self.server._handlers.items():
            if event.is_intervention and handlers:
                assoc.bind(event, *handlers)
            elif isinstance(event, evt.NotificationEvent):
                for handler, args in handlers:
                    assoc.bind(event, handler, args)
        return assoc


class AssociationMaker(ThreadedAssociationServer):  # type: ignore[misc] # the library is untyped
    """Gives each connection an `EventDrivenAssociation`, in a thread of its own; listens nowhere.

    Parameters
    ----------
    address
        Where peers connect to.
    store
        Serves C-STORE.
    max_instance_bytes
        Of an instance; a larger one is refused.
    pdu_s
        Seconds within a PDU without a byte before a peer is given up.
    secure
        Secures the connections of a port, by the port's name; others are plain.
    ended
        Called with the other end of a connection when that is done, an association or not.
    """

    daemon_threads = True

    def __init__(
        self,
        ae: Any,
        address: tuple[str, int],
        *,
        store: StoreService,
        max_instance_bytes: int,
        pdu_s: float,
        secure: Mapping[str, Secure] | None = None,
        ended: Callable[[tuple[str, int]], None],
        **options: Any,
    ) -> None:
        self.store = store
        self.max_instance_bytes = max_instance_bytes
        self.ended = ended
        self.pdu_s = pdu_s
        self._timeout = _timeval(pdu_s)
        self._secure = secure or {}
        super().__init__(ae, address, request_handler=_Handler, **options)
        self.server_close()

    def server_bind(self) -> None:
        """Bind nothing: `listener` does, perhaps in another process."""

    def server_activate(self) -> None:
        """Listen on nothing."""

    def take(self, connection: socket.socket, address: tuple[str, int], port: str) -> None:
        """Serve a connection in threads of its own.

        A peer that falls silent within a PDU is given up.
        """
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's timeouts, not Python's: those cost a poll with every receive and send.
        connection.setblocking(True)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, self._timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, self._timeout)
        self.process_request(connection, (address, port))

    def finish_request(self, request: socket.socket, client_address: Any) -> None:
        """Make the association, after the handshake where the port has one; runs in a thread of its own."""
        address, port = client_address
        secure = self._secure.get(port)
        connection = request
        try:
            if secure is not None:
                connection = secure(request)
            _Handler(connection, address, self)
        except BaseException:
            self.shutdown_request(connection)
            self.ended(address)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the library prints a traceback, with what the peer sent in it."""

    def shutdown_request(self, request: socket.socket) -> None:
        """Close a connection that never became an association."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
        request.close()


def _timeval(seconds: float) -> bytes:
    whole, fraction = divmod(seconds, 1)
    return _TIMEVAL.pack(int(whole), int(fraction * 1_000_000))
