"""A running node: start and stop of its parts in the right order."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog
import uvicorn

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from dicom_node.pipeline.complete import CompletionMonitor
    from dicom_node.pipeline.services import Services
    from dicom_node.pipeline.workflow import Pipeline
    from dicom_node.settings import Settings

log = structlog.get_logger(__name__)

#: Data sets are hundreds of thousands of small objects without cycles. With Python's own thresholds the
#: collector takes most of the time of reading them.
COLLECTOR_THRESHOLDS = (50_000, 20, 50)
#: Seconds. A request passes from the event loop to a worker thread and back: with Python's own 5 ms each
#: hand-over may wait so long where another thread computes.
SWITCH_INTERVAL_S = 0.0005


class Scp(Protocol):
    """The DIMSE server, as the node starts and stops it."""

    @property
    def port(self) -> int:
        """The port that it listens on."""

    @property
    def tls_port(self) -> int | None:
        """The port that it listens on with TLS; None without one."""

    def start(self) -> None:
        """Listen."""

    def stop(self) -> None:
        """Stop listening and end associations."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is put together from.

    Attributes
    ----------
    stop_first
        Ends what feeds the node by itself, before anything else stops.
    farewell
        Called while connections are open still, for who waits at their other ends.
    """

    settings: Settings
    services: Services
    pipeline: Pipeline
    monitor: CompletionMonitor
    scp: Scp
    http: FastAPI
    warm_up: tuple[Callable[[], None], ...]
    close: tuple[Callable[[], None], ...]
    stop_first: tuple[Callable[[], None], ...] = ()
    farewell: Callable[[], None] = lambda: None


class _Server(uvicorn.Server):
    """An HTTP server that says farewell before it closes connections."""

    def __init__(self, config: uvicorn.Config, farewell: Callable[[], None]) -> None:
        super().__init__(config)
        self._farewell = farewell

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        await asyncio.to_thread(self._farewell)
        await super().shutdown(sockets)


class Node:
    """DIMSE, HTTP and the embedded worker in one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def dimse_port(self) -> int:
        """The port of the DIMSE side, also where the setting was 0."""
        return self._parts.scp.port

    @property
    def dimse_tls_port(self) -> int | None:
        """The port of the DIMSE side for TLS; None without one."""
        return self._parts.scp.tls_port

    @property
    def http_url(self) -> str:
        """The base URL of the HTTP side."""
        if self._socket is None:
            raise ConfigurationError("the node is not started")
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Start the engine first, then what feeds it; the edges open last.

        Raises
        ------
        ConfigurationError
            If a port is taken.
        """
        http = self._parts.settings.http
        self._socket = _listen(http.host, http.port)
        self._parts.pipeline.launch()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        self._parts.monitor.start()
        self._parts.scp.start()
        log.info("node.started", port=self._parts.scp.port, url=self.http_url)

    def _warm_up(self) -> None:
        for warm_up in self._parts.warm_up:
            warm_up()
        # Dictionaries and tables of the libraries stay for good: the collector need not walk them again.
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Serve HTTP until SIGINT or SIGTERM, then stop everything."""
        listener = self._socket
        if listener is None:
            raise ConfigurationError("start the node before it serves")
        config = uvicorn.Config(
            self._parts.http, log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
        self._server = _Server(config, self._parts.farewell)
        try:
            self._server.run(sockets=[listener])
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop taking in, then the worker; what is in mid-stage goes on at the next start."""
        for stop in self._parts.stop_first:
            stop()
        self._parts.scp.stop()
        self._parts.monitor.stop()
        self._parts.pipeline.close()
        for close in self._parts.close:
            close()
        log.info("node.stopped")


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as exc:
        listener.close()
        raise ConfigurationError(
            f"http: {host}:{port} cannot be listened on ({exc.strerror}); set http.port to a free port"
        ) from exc
    return listener
