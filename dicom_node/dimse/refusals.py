"""Refusals at the edge: every one is counted, and what a scanner does a thousand times is logged once."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.ports.operation import AuditLog, Metrics

log = structlog.get_logger(__name__)

#: Seconds between two log lines about the same refusal of the same host.
_QUIET_S = 60.0
#: (outcome, host) pairs that are remembered; beyond that all are forgotten, and logged again.
_REMEMBERED = 1000


class Refusals:
    """Counts, logs and audits refusals.

    Parameters
    ----------
    audit
        Where security refusals are recorded, as seldom as they are logged; None records none.
    clock
        Seconds that never run backwards.
    """

    def __init__(
        self, metrics: Metrics, audit: AuditLog | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def association(self, outcome: str, host: str, ae_title: str, *, security: bool) -> None:
        """An association was rejected."""
        self._metrics.count("associations", outcome=outcome)
        more = self._more(outcome, host)
        if more is None:
            return
        log.warning("association.rejected", host=host, ae_title=ae_title, reason=outcome, count=more + 1)
        if security and self._audit is not None:
            try:
                self._audit.record("association-rejected", host=host, reason=outcome, count=more + 1)
            except NodeError as exc:  # the caller is rejected in any case
                log.error("association.not-audited", code=exc.code, reason=str(exc))

    def handshake(self, host: str, reason: str) -> None:
        """A connection came to no TLS."""
        self._metrics.count("associations", outcome="rejected-tls-handshake")
        more = self._more("rejected-tls-handshake", host)
        if more is not None:
            log.warning("association.no-tls", host=host, reason=reason, count=more + 1)

    def connection(self, host: str) -> None:
        """A connection was closed at once, because too many wait already."""
        self._metrics.count("associations", outcome="rejected-waiting")
        more = self._more("rejected-waiting", host)
        if more is not None:
            log.warning("association.too-many-waiting", host=host, count=more + 1)

    def _more(self, outcome: str, host: str) -> int | None:
        """How many went unlogged since the last line; None where this one does, too."""
        now = self._clock()
        with self._lock:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            logged, unlogged = self._seen.get((outcome, host), (now - _QUIET_S, 0))
            quiet = now - logged < _QUIET_S
            self._seen[outcome, host] = (logged, unlogged + 1) if quiet else (now, 0)
            return None if quiet else unlogged
