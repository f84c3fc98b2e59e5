"""The listening side: connections become event-driven associations."""

# ruff: noqa: SLF001 - see `overridden`

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom.transport import (
    AssociationServer,
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from dicom_node.dimse.reactor import EventDrivenAssociation

if TYPE_CHECKING:
    from dicom_node.dimse.store_exchange import StoreHandler

#: `struct timeval`: seconds and microseconds.
_TIMEVAL = struct.Struct("@ll")


class _Handler(RequestHandler):  # type: ignore[misc] # the library is untyped
    """Makes the association of an accepted connection."""

    server: EventDrivenServer

    def _create_association(self) -> EventDrivenAssociation:
        ae = self.ae
        assoc = EventDrivenAssociation(ae, self.server.store, self.server.max_instance_bytes)
        assoc._server = self.server
        assoc.name = f"AcceptorThread@{self.client_address[1]}"
        assoc.set_socket(AssociationSocket(assoc, client_socket=self.request))
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


class EventDrivenServer(ThreadedAssociationServer):  # type: ignore[misc] # the library is untyped
    """Listens, and gives each connection an `EventDrivenAssociation`."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self,
        ae: Any,
        address: tuple[str, int],
        *,
        store: StoreHandler,
        max_instance_bytes: int,
        **options: Any,
    ) -> None:
        self.store = store
        self.max_instance_bytes = max_instance_bytes
        super().__init__(ae, address, request_handler=_Handler, **options)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; a peer that falls silent within a PDU is given up after the timeout."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's timeouts, not Python's: those cost a poll with every receive and send.
        seconds, fraction = divmod(float(self.ae.network_timeout), 1)
        timeout = _TIMEVAL.pack(int(seconds), int(fraction * 1_000_000))
        connection.setblocking(True)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        return connection, address

    def service_actions(self) -> None:
        """Leave garbage collection to Python: the library forces a full one, which stops every thread."""

    def shutdown(self) -> None:
        """Stop listening."""
        super(AssociationServer, self).shutdown()
        self.server_close()
