"""Connections are closed, not left to the garbage collector."""

import queue
import socket
from types import SimpleNamespace

import pytest

from dicom_node.dimse.closing_socket import ClosingSocket


@pytest.mark.parametrize("connected", [True, False])
def test_a_connection_is_closed_even_where_it_cannot_be_shut_down(connected):
    ours, theirs = socket.socketpair() if connected else (socket.socket(), socket.socket())
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue()))
    closing = ClosingSocket(association, client_socket=ours)
    closing.close()
    assert ours.fileno() == -1
    theirs.close()
