"""The application entity that calls others."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from pynetdicom import AE
from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from pynetdicom.transport import AddressInformation


class _SendingSocket(AssociationSocket):  # type: ignore[misc] # the library is untyped
    """Sends at once, and is closed also where it was never connected."""

    def _create_socket(self, address: AddressInformation) -> socket.socket:
        made: socket.socket = super()._create_socket(address)
        # Without this a request waits for the acknowledgement of the packet before, up to 40 ms.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _shutdown_socket(self) -> None:
        # The library skips the close where the shutdown fails, as it does after a refused connection.
        made = self.socket
        super()._shutdown_socket()
        if made is not None:
            with contextlib.suppress(OSError):
                made.close()


class SendingEntity(AE):  # type: ignore[misc] # the library is untyped
    """pynetdicom's application entity with a socket for sending."""

    def _create_socket(self, assoc: Any, address: AddressInformation, tls_args: Any) -> AssociationSocket:
        sending = _SendingSocket(assoc, address=address)
        sending.tls_args = tls_args
        return sending
