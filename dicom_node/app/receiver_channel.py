"""What the main process and a receiver process say to each other: JSON messages, and connections.

A message is four bytes of length, then JSON. A message that hands a connection over carries its descriptor
(`SCM_RIGHTS`) with the first byte; descriptors come out in the order in which they went in.
"""

from __future__ import annotations

import collections
import contextlib
import json
import socket
import struct
import threading
from typing import Any

_LENGTH = struct.Struct(">L")
_PART = 1 << 16
#: Descriptors taken with one read.
_MAX_DESCRIPTORS = 16


class Channel:
    """One end of a socket pair; any thread may send, one thread receives.

    Parameters
    ----------
    end
        A connected stream socket of the Unix family; closed by `close`.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._buffer = bytearray()
        self._descriptors: collections.deque[int] = collections.deque()

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """A channel, and the other end for another process."""
        ours, theirs = socket.socketpair()
        return cls(ours), theirs

    def send(self, message: dict[str, Any], connection: socket.socket | None = None) -> None:
        """Send a message, and a connection with it.

        Parameters
        ----------
        connection
            Stays open here: the caller closes it.

        Raises
        ------
        OSError
            If the other end is gone.
        """
        encoded = json.dumps(message).encode()
        data = _LENGTH.pack(len(encoded)) + encoded
        with self._sending:
            if connection is not None:
                sent = socket.send_fds(self._socket, [data], [connection.fileno()])
                data = data[sent:]
            self._socket.sendall(data)

    def tell(self, message: dict[str, Any], connection: socket.socket | None = None) -> bool:
        """Send; False where the other end is gone, which whoever receives notices as well."""
        try:
            self.send(message, connection)
        except OSError:
            return False
        return True

    def receive(self) -> dict[str, Any] | None:
        """The next message; `None` when the other end is gone."""
        while (message := self._next()) is None:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, _PART, _MAX_DESCRIPTORS)
            except OSError:
                return None
            self._descriptors.extend(descriptors)
            if not data:
                return None
            self._buffer += data
        return message

    def take_connection(self) -> socket.socket:
        """The connection that came with the message that was received last."""
        return socket.socket(fileno=self._descriptors.popleft())

    def close(self) -> None:
        """Close this end; whoever waits in `receive`, here or there, gets `None`."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _next(self) -> dict[str, Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        message: dict[str, Any] = json.loads(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return message
