"""The reconciler: index, stores, keys and deliveries are compared, a page of studies at a time.

The node goes on meanwhile. What seems wrong is looked at again, with everything read anew: only what is
wrong both times is reported, so that what is just being received, purged or delivered is not.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.reconciliation import ReconciliationReport
from dicom_node.pipeline.reconcile_checks import check_study
from dicom_node.pipeline.reconcile_holdings import holdings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from dicom_node.domain.reconciliation import Discrepancy
    from dicom_node.pipeline.reconcile_checks import Rules
    from dicom_node.pipeline.reconcile_deep import DeepLook
    from dicom_node.pipeline.reconcile_holdings import ReconciledStores
    from dicom_node.pipeline.reconcile_repair import Repairs
    from dicom_node.pipeline.reconcile_strays import Strays
    from dicom_node.ports.operation import Clock
    from dicom_node.ports.reconciliation import ReconciliationIndex

log = structlog.get_logger(__name__)

#: Studies that are looked at before the next pause.
_PAGE = 50
#: Discrepancies that a report shows; it counts all.
_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it goes, in seconds.

    Attributes
    ----------
    pause_s
        After each page.
    settle_s
        Before what seems wrong is looked at again.
    """

    pause_s: float = 0.2
    settle_s: float = 2.0


class Reconciliation:
    """Looks at everything, once.

    Parameters
    ----------
    wait
        Waits so many seconds; whether the work shall end.
    repairs
        Mends what can safely be mended; `None`: nothing is changed.
    deep
        Reads and verifies all bytes; `None`: only names are compared.
    """

    def __init__(
        self,
        index: ReconciliationIndex,
        stores: ReconciledStores,
        strays: Strays,
        rules: Rules,
        clock: Clock,
        *,
        wait: Callable[[float], bool],
        pace: Pace | None = None,
        repairs: Repairs | None = None,
        deep: DeepLook | None = None,
    ) -> None:
        self._index = index
        self._stores = stores
        self._strays = strays
        self._rules = rules
        self._clock = clock
        self._wait = wait
        self._pace = pace or Pace()
        self._repairs = repairs
        self._deep = deep
        self._studies = 0
        self._blobs = 0
        self._counts: Counter[str] = Counter()
        self._shown: list[Discrepancy] = []

    def run(self) -> ReconciliationReport | None:
        """Look, keep the report and return it; `None` where the work was to end before.

        Raises
        ------
        StorageFailure
            If the database or a store does not answer.
        """
        started_at = self._clock.now()
        after: str | None = None
        while page := self._index.study_ids(after, _PAGE):
            after = page[-1]
            self._studies += len(page)
            if not self._confirm(page, self._look) or self._wait(self._pace.pause_s):
                return None
        for batch in self._strays.batches():
            if not self._confirm(batch, self._strays.look) or self._wait(self._pace.pause_s):
                return None
        report = self._report(started_at)
        self._index.add(report)
        log.info("reconciliation.done", count=sum(self._counts.values()), status=_status(report))
        return report

    def _confirm(self, subjects: Sequence[str], look: Callable[[str], list[Discrepancy]]) -> bool:
        """Look twice; `False` where the work shall end."""
        seemed = {subject: found for subject in subjects if (found := look(subject))}
        if not seemed:
            return True
        if self._wait(self._pace.settle_s):
            return False
        for subject, before in seemed.items():
            for discrepancy in look(subject):
                if discrepancy in before:
                    self._keep(discrepancy)
        return True

    def _keep(self, discrepancy: Discrepancy) -> None:
        repaired = self._repairs is not None and self._repairs.repair(discrepancy)
        if not repaired:
            self._counts[discrepancy.kind.value] += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(replace(discrepancy, repaired=repaired))

    def _look(self, study_id: str) -> list[Discrepancy]:
        facts = self._index.facts(study_id)
        if facts is None:
            return []
        there = holdings_of(facts, self._stores)
        self._blobs += there.blobs
        found = check_study(facts, there, self._rules, self._clock.now())
        if self._deep is not None:
            # What is missing has been found.
            missing = {each.subject for each in found}
            found += [each for each in self._deep.look(facts) if each.subject not in missing]
        return found

    def _report(self, started_at: datetime) -> ReconciliationReport:
        return ReconciliationReport(
            id=uuid.uuid4().hex,
            started_at=started_at,
            ended_at=self._clock.now(),
            deep=self._deep is not None,
            repair=self._repairs is not None,
            studies=self._studies,
            blobs=self._blobs,
            counts=self._counts,
            discrepancies=tuple(self._shown),
        )


def _status(report: ReconciliationReport) -> str:
    return "clean" if report.clean else "discrepancies"
