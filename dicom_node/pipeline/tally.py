"""Counts of what came again or was refused, written now and then: they cost the receiving nothing."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import NodeError
from dicom_node.domain.instance import StoreOutcome

if TYPE_CHECKING:
    from dicom_node.ports.ledger import Ledger

log = structlog.get_logger(__name__)

#: Seconds that counts wait in memory; a crash loses no more.
WRITE_AFTER_S = 2.0


class ArrivalTally:
    """Collects counts of one process for the ledger.

    Parameters
    ----------
    write_after_s
        Seconds from the first count to the writing of it and all that came meanwhile.
    """

    def __init__(self, ledger: Ledger, write_after_s: float = WRITE_AFTER_S) -> None:
        self._ledger = ledger
        self._write_after_s = write_after_s
        self._lock = threading.Lock()
        self._repeats: defaultdict[str, Counter[StoreOutcome]] = defaultdict(Counter)
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._timer: threading.Timer | None = None

    def arrived(self, study_id: str, outcome: StoreOutcome) -> None:
        """Count an instance that was there already; one that is new has a row of its own."""
        if outcome is StoreOutcome.STORED:
            return
        with self._lock:
            self._repeats[study_id][outcome] += 1
            self._write_later()

    def refused(self, source: str, code: str) -> None:
        """Count an instance that was refused.

        Parameters
        ----------
        source
            Who sent it, as in `IncomingInstance`.
        code
            Of the error.
        """
        with self._lock:
            self._refusals[source, code] += 1
            self._write_later()

    def write(self) -> None:
        """Write what was counted; where the database fails it waits for the next time."""
        with self._lock:
            repeats, self._repeats = self._repeats, defaultdict(Counter)
            refusals, self._refusals = self._refusals, Counter()
            self._timer = None
        try:
            self._ledger.count_arrivals(repeats, refusals)
        except NodeError as exc:
            log.warning("tally.not_written", code=exc.code)
            with self._lock:
                for study_id, counts in repeats.items():
                    self._repeats[study_id].update(counts)
                self._refusals.update(refusals)

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
        self.write()

    def _write_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._write_after_s, self.write)
            self._timer.daemon = True
            self._timer.start()
