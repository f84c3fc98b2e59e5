"""Exact reads from a socket, with few system calls."""

from __future__ import annotations

import socket
import struct
import time

_PDU_HEADER = struct.Struct(">BxL")
#: The header of a PDU, and of the first PDV where it is a P-DATA-TF: most often read in one call.
_LOOK_AHEAD = 12
#: Bytes a second.
_SLOWEST = 1 << 16


class ProtocolError(Exception):
    """The peer breaks the upper layer protocol; the association is aborted."""


class PduReader:
    """Reads PDUs from a connected socket.

    Every method raises OSError where the connection ends, or is silent for longer than its timeout.

    Parameters
    ----------
    pdu_s
        Seconds that a PDU may take, beside one for each 64 KiB of it: a peer that sends a byte now and then
        is never silent for long.

    References
    ----------
    PS3.8 §9.3.1.
    """

    def __init__(self, connection: socket.socket, pdu_s: float = 30) -> None:
        self._connection = connection
        # All that a call asks for, where the kernel itself can wait for it: TLS comes in records of its own.
        self._flags = 0 if hasattr(connection, "pending") else socket.MSG_WAITALL
        self._pdu_s = pdu_s
        self._deadline = float("inf")
        self._ahead = b""

    @property
    def has_ahead(self) -> bool:
        """Whether bytes were received that nobody took yet: the socket itself may then be silent."""
        return bool(self._ahead)

    def header(self) -> tuple[int, int]:
        """(type, length of what follows) of the next PDU."""
        while len(self._ahead) < _PDU_HEADER.size:
            part = self._connection.recv(_LOOK_AHEAD - len(self._ahead))
            if not part:
                raise _closed()
            self._ahead += part
        kind, length = _PDU_HEADER.unpack_from(self._ahead)
        self._ahead = self._ahead[_PDU_HEADER.size :]
        self._deadline = time.monotonic() + self._pdu_s + length / _SLOWEST
        return kind, length

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if len(self._ahead) >= count:
            taken, self._ahead = self._ahead[:count], self._ahead[count:]
            return taken
        data = bytearray(count)
        self.fill(memoryview(data))
        return bytes(data)

    def fill(self, view: memoryview) -> None:
        """Receive exactly as many bytes as `view` holds into it."""
        if self._ahead:
            part = self._ahead[: len(view)]
            self._ahead = self._ahead[len(part) :]
            view[: len(part)] = part
            view = view[len(part) :]
        while view:
            got = self._connection.recv_into(view, 0, self._flags)
            if not got:
                raise _closed()
            view = view[got:]
            if view and time.monotonic() > self._deadline:
                raise TimeoutError("a PDU arrives too slowly")

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._connection.sendall(data)


def _closed() -> ConnectionError:
    return ConnectionError("the peer closed the connection")
