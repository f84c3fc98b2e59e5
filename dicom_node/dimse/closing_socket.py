"""A connection that is closed whenever it is shut down."""

from __future__ import annotations

import contextlib
from typing import Any

from pynetdicom.transport import AssociationSocket


class ClosingSocket(AssociationSocket):  # type: ignore[misc] # the library is untyped
    """The library's socket, closed even where shutting it down fails.

    The library skips the close then, as after a refused connection or one that the peer has left.
    """

    socket: Any

    def _shutdown_socket(self) -> None:
        made = self.socket
        super()._shutdown_socket()
        if made is not None:
            with contextlib.suppress(OSError):
                made.close()
