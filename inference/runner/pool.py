"""The model processes: one for each package, kept warm as long as their memory fits together."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.contract.package import ModelManifest
    from inference.runner.limits import RunLimits
    from inference.runner.process import ModelProcess


class Seat:
    """A place for one model's process. Who leases it has it alone.

    Attributes
    ----------
    process
        `None` until somebody starts it.
    loaded
        Whether the model is in it.
    """

    def __init__(self, model: str, memory_mb: int) -> None:
        self.model = model
        self.memory_mb = memory_mb
        self.process: ModelProcess | None = None
        self.loaded = False
        self.busy = False
        self.used_at = 0.0

    @property
    def is_warm(self) -> bool:
        """Whether its process lives and has the model."""
        return self.loaded and self.process is not None and self.process.alive

    def end(self) -> None:
        """End its process."""
        if self.process is not None:
            self.process.kill()
        self.process, self.loaded = None, False


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    model: str
    memory_mb: int


class ModelPool:
    """Gives seats to runs, in the order in which they come, within the limits.

    A run whose own model is at work waits without holding up others; one that waits for memory or for its
    turn is not overtaken. To make room the process that was idle longest is ended first.

    Parameters
    ----------
    on_gpu
        Whether runs share a GPU; who starts a process learns it, and sets the attribute.
    evicted
        Called with the model's name when its process is ended to make room.
    """

    def __init__(self, limits: RunLimits, *, on_gpu: bool, evicted: Callable[[str], None]) -> None:
        self._limits = limits
        self._evicted = evicted
        self._budget_mb = limits.budget_mb
        self._changed = threading.Condition()
        self._seats: dict[str, Seat] = {}
        self._waiting: list[_Ticket] = []
        self._closed = False
        self.on_gpu = on_gpu

    @contextlib.contextmanager
    def lease(self, manifest: ModelManifest) -> Iterator[Seat]:
        """Wait for a seat, and give it back at the end; a process that died frees its memory.

        Raises
        ------
        InferenceFailed
            If the model needs more memory than the whole budget.
        ModelProcessFailed
            If the pool is closed.
        """
        if manifest.memory_mb > self._budget_mb:
            raise InferenceFailed(
                f"{manifest.name} needs {manifest.memory_mb} MiB of memory, but models may have"
                f" {self._budget_mb} MiB; raise inference.memory_budget_mb on a machine that has the memory"
            )
        seat = self._take(_Ticket(manifest.name, manifest.memory_mb))
        try:
            yield seat
        finally:
            with self._changed:
                if self._closed or not seat.is_warm:
                    seat.end()
                    self._seats.pop(seat.model, None)
                seat.busy, seat.used_at = False, time.monotonic()
                self._changed.notify_all()

    def has_room(self, manifest: ModelManifest) -> bool:
        """Whether the model is warm, or could be without ending another."""
        with self._changed:
            used = sum(seat.memory_mb for seat in self._seats.values())
            return manifest.name in self._seats or used + manifest.memory_mb <= self._budget_mb

    def begin(self, seat: Seat, process: ModelProcess) -> None:
        """Put a started process into a leased seat.

        Raises
        ------
        ModelProcessFailed
            If the pool was closed meanwhile; the process is ended then.
        """
        with self._changed:
            seat.process = process
            if self._closed:
                seat.end()
                raise ModelProcessFailed("the node is stopping")

    def processes(self) -> dict[str, int]:
        """Process ids by model."""
        with self._changed:
            return {
                name: seat.process.pid
                for name, seat in self._seats.items()
                if seat.process is not None and seat.process.alive
            }

    def memory_mb(self) -> dict[str, float]:
        """What the processes hold now, MiB, by model."""
        with self._changed:
            running = [(n, seat.process) for n, seat in self._seats.items() if seat.process is not None]
        return {name: float(process.memory_mb) for name, process in running}

    def close(self) -> None:
        """End all processes, in the middle of runs too, and wait for those who lease them."""
        with self._changed:
            self._closed = True
            for seat in self._seats.values():
                if seat.process is not None:
                    seat.process.terminate()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not any(s.busy for s in self._seats.values()), timeout=10)
            for seat in self._seats.values():
                seat.end()
            self._seats.clear()

    def _take(self, ticket: _Ticket) -> Seat:
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not self._closed and not self._is_next(ticket):
                    self._changed.wait()
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
            if self._closed:
                raise ModelProcessFailed("the node is stopping")
            seat = self._seats.get(ticket.model)
            if seat is None:
                self._make_room(ticket.memory_mb)
                seat = self._seats[ticket.model] = Seat(ticket.model, ticket.memory_mb)
            seat.busy = True
            return seat

    def _is_next(self, ticket: _Ticket) -> bool:
        for other in self._waiting:
            if self._at_work(other):
                continue
            return other is ticket and self._fits(ticket)
        return False

    def _at_work(self, ticket: _Ticket) -> bool:
        seat = self._seats.get(ticket.model)
        return seat is not None and seat.busy

    def _fits(self, ticket: _Ticket) -> bool:
        busy = [seat for seat in self._seats.values() if seat.busy]
        if len(busy) >= (self._limits.gpu_runs if self.on_gpu else self._limits.concurrency):
            return False
        return sum(seat.memory_mb for seat in busy) + ticket.memory_mb <= self._budget_mb

    def _make_room(self, memory_mb: int) -> None:
        idle = sorted((s for s in self._seats.values() if not s.busy), key=lambda seat: seat.used_at)
        while idle and sum(s.memory_mb for s in self._seats.values()) + memory_mb > self._budget_mb:
            seat = idle.pop(0)
            seat.end()
            del self._seats[seat.model]
            self._evicted(seat.model)
