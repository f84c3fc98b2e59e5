"""Free ports on loopback."""

import socket

import pytest

#: Ports that were handed out, so that none is handed out twice in a session.
_given = set()


def take_port():
    """A port that nobody listens on now; another process may still take it first."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


@pytest.fixture(scope="session")
def free_port():
    """A function that returns another free port at each call."""
    return take_port
