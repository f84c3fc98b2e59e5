"""Metrics of a process that nobody scrapes: collected, and passed on to the one that is scraped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dicom_node.observability.metrics import COUNTERS, TIMINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.ports.operation import Metrics

#: Seconds that figures are collected before they are passed on.
_COLLECT_S = 0.2

_Labels = tuple[tuple[str, str], ...]


class RelayedMetrics:
    """`ports.Metrics` that sends batches; each is a message that `replay` takes.

    Parameters
    ----------
    send
        Called in a thread of this object's own. An OSError ends the relay: nobody is left to tell.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, _Labels], float] = {}
        self._timings: dict[tuple[str, _Labels], list[float]] = {}
        self._dirty = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """See `ports.Metrics.count`.

        Raises
        ------
        KeyError
            If the counter is not declared.
        """
        COUNTERS[name]
        key = name, tuple(labels.items())
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + amount
        self._dirty.set()

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """See `ports.Metrics.observe`; raises as `count` does."""
        TIMINGS[name]
        key = name, tuple(labels.items())
        with self._lock:
            self._timings.setdefault(key, []).append(round(seconds, 6))
        self._dirty.set()

    def flush(self) -> None:
        """Pass on what was collected.

        Raises
        ------
        OSError
            If nobody takes it.
        """
        with self._lock:
            counts, self._counts = self._counts, {}
            timings, self._timings = self._timings, {}
            self._dirty.clear()
        if counts or timings:
            self._send(
                {
                    "counts": [(name, dict(labels), amount) for (name, labels), amount in counts.items()],
                    "timings": [(name, dict(labels), values) for (name, labels), values in timings.items()],
                }
            )

    def close(self) -> None:
        """Pass on the rest and stop.

        Raises
        ------
        OSError
            If nobody takes it.
        """
        self._stopped.set()
        self._dirty.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._dirty.wait()
            if self._stopped.wait(_COLLECT_S):
                return
            try:
                self.flush()
            except OSError:
                return


def replay(batch: dict[str, Any], metrics: Metrics) -> None:
    """Add a batch of another process to the metrics of this one."""
    for name, labels, amount in batch["counts"]:
        metrics.count(name, amount, **labels)
    for name, labels, values in batch["timings"]:
        for seconds in values:
            metrics.observe(name, seconds, **labels)
