"""Exact reads from a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class ProtocolError(Exception):
    """The peer breaks the upper layer protocol; the association is aborted."""


def receive(connection: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes.

    Raises
    ------
    OSError
        If the connection ends or is silent for longer than its timeout.
    """
    data = bytearray(count)
    receive_into(connection, memoryview(data))
    return bytes(data)


def receive_into(connection: socket.socket, view: memoryview) -> None:
    """Fill `view`; raises as `receive` does."""
    while view:
        got = connection.recv_into(view)
        if not got:
            raise ConnectionError("the peer closed the connection")
        view = view[got:]
