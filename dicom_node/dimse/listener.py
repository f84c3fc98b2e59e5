"""Accepts connections; who serves them is another's business, in this process or another."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: Takes an accepted connection, who is at its other end, and the name of the port it came in by.
    HandOn = Callable[[socket.socket, tuple[str, int], str], None]

log = structlog.get_logger(__name__)

_BACKLOG = 128
#: Seconds after an accept that failed, as it does where no descriptor is free.
_PAUSE_S = 0.1


class Listener:
    """Listens on one or several ports of an address.

    Parameters
    ----------
    host
        Address to listen on.
    ports
        Name to port; 0 takes a free one. The names say what is spoken there, such as `plain` and `tls`.
    """

    def __init__(self, host: str, ports: Mapping[str, int]) -> None:
        self._host = host
        self._ports = dict(ports)
        self._sockets: dict[str, socket.socket] = {}
        self._stopped = threading.Event()
        self._has_bound = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port, also where the setting was 0; without TLS where there are two."""
        return self._ports["plain" if "plain" in self._ports else "tls"]

    @property
    def tls_port(self) -> int | None:
        """The port for TLS; None without one."""
        return self._ports.get("tls")

    @property
    def has_bound(self) -> bool:
        """Whether it has taken its ports."""
        return self._has_bound

    def bind(self) -> None:
        """Take the ports; connections wait until `start`.

        Raises
        ------
        ConfigurationError
            If a port cannot be listened on.
        """
        for name, port in self._ports.items():
            try:
                self._sockets[name] = _listen(self._host, port)
            except OSError as exc:
                self._close()
                setting = "dimse.port" if name == "plain" else f"dimse.{name}.port"
                raise ConfigurationError(
                    f"dimse: {self._host}:{port} cannot be listened on ({exc.strerror});"
                    f" set {setting} to a free port"
                ) from exc
            self._ports[name] = int(self._sockets[name].getsockname()[1])
        self._has_bound = True

    def start(self, hand_on: HandOn) -> None:
        """Accept, and hand each connection on.

        Parameters
        ----------
        hand_on
            Called in the listener's thread, so it must be quick; it owns the connection.
        """
        self._thread = threading.Thread(target=self._run, args=(hand_on,), name="dimse-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening: the ports are free on return; nothing happens the second time."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._thread is not None:
            self._wake_out.send(b"\0")
            self._thread.join()
        self._close()
        self._wake_in.close()
        self._wake_out.close()

    def _run(self, hand_on: HandOn) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_in, selectors.EVENT_READ)
            for name, listening in self._sockets.items():
                selector.register(listening, selectors.EVENT_READ, name)
            while not self._stopped.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        self._accept(self._sockets[key.data], key.data, hand_on)

    def _accept(self, listening: socket.socket, name: str, hand_on: HandOn) -> None:
        try:
            connection, address = listening.accept()
        except (BlockingIOError, ConnectionError):  # the peer went away again
            return
        except OSError as exc:
            log.warning("dimse.accept-failed", reason=exc.strerror)
            self._stopped.wait(_PAUSE_S)
            return
        try:
            hand_on(connection, address[:2], name)
        except OSError as exc:
            log.warning("dimse.accept-failed", reason=exc.strerror)
            connection.close()

    def _close(self) -> None:
        for listening in self._sockets.values():
            listening.close()
        self._sockets.clear()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        # A peer may be gone between `select` and `accept`, which would then wait for the next one.
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
