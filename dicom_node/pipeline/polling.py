"""A thread that looks again and again, and that no single failure ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import InternalError, NodeError

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)


class PollingThread:
    """Calls `look` every `every_s` seconds until it is stopped.

    Parameters
    ----------
    name
        Of the thread, and of the log events of its failures.
    """

    def __init__(self, name: str, look: Callable[[], object], *, every_s: float) -> None:
        self._name = name
        self._look = look
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start looking; the first look comes after the first wait."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a look that is under way ends first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._look()
            except NodeError as exc:
                log.warning("polling.failed", name=self._name, code=exc.code)
            except Exception as exc:  # noqa: BLE001  one bad look must not end all looks
                log.error("polling.failed", name=self._name, reason=str(InternalError.of(exc)))
