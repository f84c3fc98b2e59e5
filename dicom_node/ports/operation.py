"""Time, audit and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """The time, so that tests can set it."""

    def now(self) -> datetime:
        """Time zone aware, UTC."""


class AuditLog(Protocol):
    """Append-only record of what was done."""

    def record(self, event: str, **fields: str | int | float | bool | None) -> None:
        """Append one event; durable on return. Fields carry internal ids only."""


class Metrics(Protocol):
    """Counters and timings. Labels never carry identity."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter, e.g. `count("instances_received", source="dimse", outcome="stored")`."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add to a timing, e.g. `observe("stage_seconds", 0.2, stage="route")`."""
