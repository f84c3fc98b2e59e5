"""`ports.Ledger` over SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.ledger import InstanceOutcome, RefusalCount, StudyLedger
from dicom_node.domain.study import StudyState
from dicom_node.index import instance_ledger, result_ledger
from dicom_node.index.database import peeking, reading, transact
from dicom_node.index.tables.deliveries import deliveries
from dicom_node.index.tables.ledger import refusals, repeats
from dicom_node.index.tables.outcomes import deidentification, results
from dicom_node.index.tables.studies import instances, studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

    from dicom_node.domain.ledger import (
        DestinationCounts,
        GateVerdict,
        InstanceCounts,
        InstanceEntry,
        MadeResult,
        ResultCounts,
    )
    from dicom_node.domain.result import ResultEntry
    from dicom_node.ports.operation import Clock

#: Rows of refusals: whoever sends under ever new names is counted under one.
_MAX_REFUSALS = 1000
_OTHERS = "others"


class SqlLedger:
    """The ledger of one node, or of several that share a database.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def made(self, study_id: str, version: int, results: Sequence[ResultEntry]) -> None:
        """See `ports.Ledger.made`."""
        now = self._clock.now()
        transact(self._engine, lambda c: result_ledger.record_made(c, study_id, version, results, now))

    def checked(self, study_id: str, version: int, verdicts: Sequence[GateVerdict]) -> None:
        """See `ports.Ledger.checked`."""
        now = self._clock.now()
        transact(self._engine, lambda c: result_ledger.record_checked(c, study_id, version, verdicts, now))

    def expired(self, study_id: str) -> None:
        """See `ports.Ledger.expired`."""
        now = self._clock.now()
        transact(self._engine, lambda c: result_ledger.record_expired(c, study_id, now))

    def count_arrivals(
        self,
        repeats: Mapping[str, Mapping[StoreOutcome, int]],
        refusals: Mapping[tuple[str, str], int],
    ) -> None:
        """See `ports.Ledger.count_arrivals`."""
        now = self._clock.now()

        def add(connection: Connection) -> None:
            # One order for all writers, so that none waits for another in a circle.
            for study_id, counts in sorted(repeats.items()):
                _add_repeats(connection, study_id, counts, now)
            for (source, code), count in sorted(refusals.items()):
                _add_refusals(connection, source, code, count, now)

        if repeats or refusals:
            transact(self._engine, add)

    def summary(self, study_id: str) -> StudyLedger:
        """See `ports.Ledger.summary`."""
        with reading(self._engine) as connection:
            return summary(connection, study_id)

    def instances(
        self, study_id: str, *, limit: int = 1000, cursor: str | None = None
    ) -> tuple[Sequence[InstanceEntry], str | None]:
        """See `ports.Ledger.instances`."""
        with reading(self._engine) as connection:
            return instance_ledger.page_of_instances(connection, study_id, limit, cursor)

    def results(
        self, study_id: str, *, limit: int = 1000, cursor: str | None = None
    ) -> tuple[Sequence[MadeResult], str | None]:
        """See `ports.Ledger.results`."""
        with reading(self._engine) as connection:
            return result_ledger.page_of_results(connection, study_id, limit, cursor)

    def refusals(self, limit: int = 1000) -> Sequence[RefusalCount]:
        """See `ports.Ledger.refusals`."""
        query = select(refusals).order_by(refusals.c.last_at.desc(), refusals.c.source, refusals.c.code)
        with peeking(self._engine) as connection:
            return [RefusalCount(*row) for row in connection.execute(query.limit(limit))]


def summary(connection: Connection, study_id: str) -> StudyLedger:
    """A study in counts.

    Raises
    ------
    NotFound
    """
    study = connection.execute(select(studies).where(studies.c.id == study_id)).first()
    if study is None:
        raise NotFound("the index knows no study of this id")
    counted = instance_ledger.count_instances(connection, study_id)
    made = result_ledger.count_results(connection, study_id, study.version)
    sent = result_ledger.count_deliveries(connection, study_id, study.version, made.passed)
    again = connection.execute(select(repeats).where(repeats.c.study_id == study_id)).first()
    return StudyLedger(
        study_id=study_id,
        study_instance_uid=study.study_instance_uid,
        state=StudyState(study.state),
        version=study.version,
        instances=counted,
        results=made,
        deliveries=sent,
        versions=instance_ledger.versions_of(connection, study_id),
        duplicates=0 if again is None else again.duplicates,
        conflicts=0 if again is None else again.conflicts,
        discrepancies=tuple(_discrepancies(connection, study, counted, made, sent)),
    )


def _discrepancies(
    connection: Connection,
    study: Row[Any],
    counted: InstanceCounts,
    made: ResultCounts,
    sent: Sequence[DestinationCounts],
) -> list[str]:
    """Sums of independent counts that differ."""
    found = []
    if counted.received != study.received_instances:
        found.append(f"{study.received_instances} instances were counted in, {counted.received} are listed")
    if study.state in _ALL_DEIDENTIFIED and (late := _left_over(connection, study.id, study.version)):
        found.append(f"the study is {study.state}, but {late} instances were not de-identified")
    report = connection.execute(
        select(deidentification.c.report).where(
            deidentification.c.study_id == study.id, deidentification.c.version == study.version
        )
    ).scalar()
    if report is not None:
        passed = json.loads(report)["instances"]
        listed = connection.execute(
            select(func.count())
            .select_from(instances)
            .where(
                instances.c.study_id == study.id,
                instances.c.outcome == InstanceOutcome.DEIDENTIFIED.value,
                instances.c.outcome_version == study.version,
            )
        ).scalar_one()
        if passed != listed:
            found.append(f"{passed} instances passed de-identification, {listed} are listed as passed")
    indexed = connection.execute(
        select(func.count())
        .select_from(results)
        .where(results.c.study_id == study.id, results.c.version == study.version)
    ).scalar_one()
    if not made.expired and made.unchecked == 0 and indexed != made.passed:
        found.append(f"{made.passed} results passed the gate, the index lists {indexed}")
    found += [
        f"{counts.objects} objects are to go to {counts.destination}, {made.passed} passed the gate"
        for counts in sent
        if counts.left_out < 0
    ]
    return found + _undelivered(connection, study, sent)


_ALL_DEIDENTIFIED = frozenset(
    state.value for state in (StudyState.DONE, StudyState.REJECTED, StudyState.QUARANTINED)
)


def _left_over(connection: Connection, study_id: str, version: int) -> int:
    return connection.execute(
        select(func.count())
        .select_from(instances)
        .where(
            instances.c.study_id == study_id,
            instances.c.version <= version,
            instances.c.outcome.is_(None),
            instances.c.purged_at.is_(None),
        )
    ).scalar_one()


def _undelivered(connection: Connection, study: Row[Any], sent: Sequence[DestinationCounts]) -> list[str]:
    """Deliveries whose state says more than that of their objects."""
    stand = connection.execute(
        select(deliveries.c.destination, deliveries.c.status).where(
            deliveries.c.study_id == study.id, deliveries.c.version == study.version
        )
    )
    states: dict[str, str] = {row[0]: row[1] for row in stand}
    found = []
    for counts in sent:
        state = states.get(counts.destination)
        open_ = counts.waiting + counts.dead
        if state == "confirmed" and counts.confirmed + counts.discarded != counts.objects:
            rest = counts.objects - counts.confirmed - counts.discarded
            found.append(f"the delivery to {counts.destination} is confirmed, {rest} of its objects are not")
        if state == "sent" and open_:
            found.append(f"the delivery to {counts.destination} is sent, {open_} of its objects are not")
    return found


def _add_repeats(
    connection: Connection, study_id: str, counts: Mapping[StoreOutcome, int], now: datetime
) -> None:
    duplicates = counts.get(StoreOutcome.DUPLICATE, 0)
    conflicts = counts.get(StoreOutcome.CONFLICT, 0)
    changed = connection.execute(
        update(repeats)
        .where(repeats.c.study_id == study_id)
        .values(
            duplicates=repeats.c.duplicates + duplicates,
            conflicts=repeats.c.conflicts + conflicts,
            last_at=now,
        )
    )
    if not changed.rowcount:
        row = {"duplicates": duplicates, "conflicts": conflicts, "last_at": now}
        connection.execute(insert(repeats).values(study_id=study_id, **row))


def _add_refusals(connection: Connection, source: str, code: str, count: int, now: datetime) -> None:
    def add(to: str) -> bool:
        of_source = (refusals.c.source == to, refusals.c.code == code)
        values = {"count": refusals.c.count + count, "last_at": now}
        return bool(connection.execute(update(refusals).where(*of_source).values(values)).rowcount)

    if add(source):
        return
    known = connection.execute(select(func.count()).select_from(refusals)).scalar_one()
    name = source if known < _MAX_REFUSALS else _OTHERS
    if name == source or not add(name):
        row = {"source": name, "code": code, "count": count, "first_at": now, "last_at": now}
        connection.execute(insert(refusals).values(row))
