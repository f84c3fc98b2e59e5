"""How much callers may take: connections, associations and instances, over all receiver processes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: A connection's other end, (address, port): unique among the connections of one of our ports.
    Caller = tuple[str, int]

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """What one peer may take; None is unlimited.

    Attributes
    ----------
    associations
        At a time.
    associations_per_minute
        Opened.
    instances_per_second
        Stored; more are slowed down, not refused.
    """

    associations: int | None = None
    associations_per_minute: float | None = None
    instances_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class TotalLimits:
    """What all may take together.

    Attributes
    ----------
    associations
        At a time.
    waiting
        Connections that have not asked for an association yet.
    waiting_per_host
        The same from one address: a port scanner cannot take the places of others.
    """

    associations: int = 32
    waiting: int = 256
    waiting_per_host: int = 64


class Limits(Protocol):
    """Counts connections and associations; the one place where they are counted, whatever serves them."""

    def connect(self, caller: Caller) -> bool:
        """Count a new connection; False where it must be closed at once, without an answer."""

    def admit(self, caller: Caller, peer: str) -> str | None:
        """Count the connection as an association of a peer.

        Parameters
        ----------
        peer
            The peer's configured name, or empty for callers that are none.

        Returns
        -------
        str or None
            None where it is admitted, else which limit is reached: `total`, `peer` or `rate`.
        """

    def is_paced(self, peer: str) -> bool:
        """Whether `pause` has to be asked for the instances of a peer."""

    def pause(self, peer: str) -> float:
        """Count an instance, and say how long its answer has to wait, seconds."""

    def release(self, caller: Caller) -> None:
        """Forget a connection, whatever became of it; a second time does nothing."""


class _Bucket:
    """A token bucket that may be overdrawn: who comes too early waits."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token where there is one."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def overdraw(self, now: float) -> float:
        """Take a token, and return after how many seconds it is there."""
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)


class CountedLimits:
    """`Limits` in the memory of one process: the one that accepts the connections.

    Parameters
    ----------
    peers
        Limits by the peer's name; under the empty name those of callers that are no peers.
    clock
        Seconds that never run backwards.
    """

    def __init__(
        self,
        total: TotalLimits,
        peers: Mapping[str, PeerLimits] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._peers = dict(peers or {})
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[Caller, None] = {}
        self._waiting_by_host: Counter[str] = Counter()
        self._admitted: dict[Caller, str] = {}
        self._admitted_by_peer: Counter[str] = Counter()
        self._opened: dict[str, _Bucket] = {}
        self._stored: dict[str, _Bucket] = {}

    @property
    def waiting(self) -> int:
        """How many connections have asked for no association yet."""
        return len(self._waiting)

    @property
    def associations(self) -> int:
        """How many associations are open."""
        return len(self._admitted)

    def open(self) -> dict[str, float]:
        """How many connections are open, by whether they are an association yet."""
        return {"association": self.associations, "waiting": self.waiting}

    def connect(self, caller: Caller) -> bool:
        """See `Limits.connect`."""
        host = caller[0]
        with self._lock:
            if len(self._waiting) >= self._total.waiting:
                return False
            if self._waiting_by_host[host] >= self._total.waiting_per_host:
                return False
            self._waiting[caller] = None
            self._waiting_by_host[host] += 1
            return True

    def admit(self, caller: Caller, peer: str) -> str | None:
        """See `Limits.admit`."""
        limits = self._peers.get(peer, PeerLimits())
        with self._lock:
            if len(self._admitted) >= self._total.associations:
                return "total"
            if limits.associations is not None and self._admitted_by_peer[peer] >= limits.associations:
                return "peer"
            if not self._may_open(peer, limits):
                return "rate"
            self._leave_waiting(caller)
            self._admitted[caller] = peer
            self._admitted_by_peer[peer] += 1
            return None

    def is_paced(self, peer: str) -> bool:
        """See `Limits.is_paced`."""
        return self._peers.get(peer, PeerLimits()).instances_per_second is not None

    def pause(self, peer: str) -> float:
        """See `Limits.pause`."""
        rate = self._peers.get(peer, PeerLimits()).instances_per_second
        if rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            if peer not in self._stored:
                self._stored[peer] = _Bucket(rate, max(1.0, rate), now)
            return self._stored[peer].overdraw(now)

    def release(self, caller: Caller) -> None:
        """See `Limits.release`."""
        with self._lock:
            self._leave_waiting(caller)
            peer = self._admitted.pop(caller, None)
            if peer is not None:
                _lower(self._admitted_by_peer, peer)

    def _may_open(self, peer: str, limits: PeerLimits) -> bool:
        per_minute = limits.associations_per_minute
        if per_minute is None:
            return True
        now = self._clock()
        if peer not in self._opened:
            self._opened[peer] = _Bucket(per_minute / _MINUTE_S, max(1.0, per_minute), now)
        return self._opened[peer].take(now)

    def _leave_waiting(self, caller: Caller) -> None:
        if caller in self._waiting:
            del self._waiting[caller]
            _lower(self._waiting_by_host, caller[0])


def _lower(counter: Counter[str], key: str) -> None:
    """Take one away, and the key with the last: a scanner's addresses must not pile up."""
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
