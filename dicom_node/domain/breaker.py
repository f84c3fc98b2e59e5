"""Circuit breaker of a destination: a pure state machine.

Closed: deliveries go out. After some failures of the destination in a row it opens: no attempt is made, so
none is burnt. When it has been open for a while one probe is made (C-ECHO, or a request that asks for
nothing). If that passes it is half open: one delivery goes out, and its outcome closes or opens it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

#: No breaker stays open longer without a probe, seconds.
MAX_OPEN_S = 600.0


class BreakerState(StrEnum):
    """What may go out."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a destination does.

    Attributes
    ----------
    failures
        In a row.
    openings
        In a row, without a delivery that passed in between.
    probe_at
        When the next probe is due, while it is open.
    reason
        Of the last failure.
    """

    destination: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    openings: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    reason: str | None = None

    def failed(self, now: datetime, reason: str, *, limit: int, open_s: float) -> Breaker:
        """After a failure of the destination.

        Parameters
        ----------
        limit
            Failures in a row that open it.
        open_s
            Seconds until the first probe; doubles with each opening, up to `MAX_OPEN_S`.
        """
        failures = self.failures + 1
        if self.state is BreakerState.CLOSED and failures < limit:
            return replace(self, failures=failures, reason=reason)
        openings = self.openings + 1
        wait = timedelta(seconds=min(MAX_OPEN_S, open_s * 2 ** min(openings - 1, 16)))
        return Breaker(
            self.destination, BreakerState.OPEN, failures, openings, self.opened_at or now, now + wait, reason
        )

    def passed(self) -> Breaker:
        """After a delivery that got through."""
        return Breaker(self.destination)

    def probed(self) -> Breaker:
        """After a probe that passed."""
        if self.state is BreakerState.CLOSED:
            return self
        return replace(self, state=BreakerState.HALF_OPEN, probe_at=None)

    def hurried(self, now: datetime) -> Breaker:
        """Asked by a person not to wait: the next probe is due now."""
        return replace(self, probe_at=now) if self.state is BreakerState.OPEN else self

    def allowance(self, concurrency: int) -> int:
        """How many deliveries may be under way."""
        return {BreakerState.CLOSED: concurrency, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 0}[self.state]
