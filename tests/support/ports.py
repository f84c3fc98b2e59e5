"""Free ports on loopback."""

import os
import random
import socket

import pytest

#: Below the ports that the kernel gives to outgoing connections, which come and go while a test runs.
_FIRST, _EACH = 12_000, 2_000

#: Ports that were handed out, so that none is handed out twice in a session.
_given = set()


def take_port():
    """A port that nobody listens on now, from the range of this test process."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    first = _FIRST + worker * _EACH
    while True:
        port = random.randrange(first, first + _EACH)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


@pytest.fixture(scope="session")
def free_port():
    """A function that returns another free port at each call."""
    return take_port
