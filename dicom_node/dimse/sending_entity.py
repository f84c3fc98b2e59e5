"""The application entity that calls others."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from pynetdicom import AE
from pynetdicom.transport import AddressInformation

from dicom_node.dimse.closing_socket import ClosingSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynetdicom.transport import T_CONNECT


#: Memory for a PDU at first, bytes.
_FIRST = 1 << 20


class SendingSocket(ClosingSocket):
    """Connects with a deadline for each step, sends at once, and keeps why it could not connect.

    Attributes
    ----------
    failure
        What ended the attempt to connect or to agree on TLS; None where neither failed.
    """

    failure: OSError | None = None
    verify: Callable[[ssl.SSLSocket], None] | None = None

    def connect(self, primitive: T_CONNECT) -> None:
        """Connect, and agree on TLS where it is wanted; a failure becomes the library's event."""
        try:
            connection = self._connected(primitive.address_info.as_tuple)
            self.assoc.requestor.address_info = AddressInformation.from_tuple(connection.getsockname())
            self._is_connected = True
            primitive.result = "Evt2"
        except OSError as exc:
            self.failure = exc
            self._shutdown_socket()
            self.socket = None
            primitive.result = "Evt17"
        finally:
            self.provider_queue.put(primitive)
            self._ready.set()

    def _connected(self, address: tuple[Any, ...]) -> Any:
        connection = self.socket
        connection.settimeout(self.assoc.connection_timeout)
        connection.connect(address)
        if self.tls_args:
            context, server_name = self.tls_args
            # The timeout goes over to the wrapped socket, and so bounds the handshake.
            connection = context.wrap_socket(connection, server_hostname=server_name)
            self.socket = connection
            if self.verify is not None:
                self.verify(connection)
        # The library waits for the rest of a PDU for ever: its thread could not be ended then.
        connection.settimeout(self.assoc.network_timeout)
        return connection

    def discard(self) -> None:
        """Close the connection where the library left it open, as it does when the peer has gone away."""
        self._shutdown_socket()

    def recv(self, nr_bytes: int) -> bytearray:
        """Read `nr_bytes`, fewer only where the connection ends."""
        data = bytearray(min(nr_bytes, _FIRST))
        got = 0
        while got < nr_bytes:
            if got == len(data):
                # By doubling: memory grows with what was received, not with what a peer says it will send.
                data.extend(bytes(min(got, nr_bytes - got)))
            count = self._receive(memoryview(data)[got:])
            if not count:
                return data[:got]
            got += count
        return data

    def _receive(self, view: memoryview) -> int:
        try:
            return int(self.socket.recv_into(view))
        except ssl.SSLError as exc:
            # With TLS 1.3 a server refuses our certificate only after the handshake.
            self.failure = exc
            raise

    def _create_socket(self, address: AddressInformation) -> socket.socket:
        made: socket.socket = super()._create_socket(address)
        # Without this a request waits for the acknowledgement of the packet before, up to 40 ms.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


class SendingEntity(AE):  # type: ignore[misc] # the library is untyped
    """pynetdicom's application entity with a socket for sending; one for each association.

    Parameters
    ----------
    verify
        Called with the TLS connection after its handshake; raises OSError where the peer is not the one.

    Attributes
    ----------
    opened
        The socket of the latest association.
    """

    def __init__(self, ae_title: str, verify: Callable[[ssl.SSLSocket], None] | None = None) -> None:
        super().__init__(ae_title=ae_title)
        self._verify = verify
        self.opened: SendingSocket | None = None

    def _create_socket(self, assoc: Any, address: AddressInformation, tls_args: Any) -> SendingSocket:
        sending = SendingSocket(assoc, address=address)
        sending.tls_args = tls_args
        sending.verify = self._verify
        self.opened = sending
        return sending
