"""What became of source instances: recorded for a whole study at once, read by the page."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, insert, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.ledger import InstanceCounts, InstanceEntry, InstanceOutcome, InstanceRun, VersionEntry
from dicom_node.domain.quarantine import QuarantineState
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import StudyState
from dicom_node.index.tables.ledger import study_versions
from dicom_node.index.tables.outcomes import runs
from dicom_node.index.tables.quarantine import quarantine
from dicom_node.index.tables.studies import instances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_HELD = and_(
    quarantine.c.study_id == instances.c.study_id,
    quarantine.c.sop_instance_uid == instances.c.sop_instance_uid,
    quarantine.c.sha256 == instances.c.sha256,
    quarantine.c.state == QuarantineState.HELD.value,
)
_COLUMNS = tuple(
    instances.c["outcome_rule" if name == "rule" else name].label(name)
    for name in InstanceEntry.__dataclass_fields__
    if name != "runs"
)


def record_version(connection: Connection, study_id: str, version: int, **values: Any) -> None:
    """Set members of a version's row, which is made where it is missing."""
    of_version = and_(study_versions.c.study_id == study_id, study_versions.c.version == version)
    if not connection.execute(update(study_versions).where(of_version).values(values)).rowcount:
        connection.execute(insert(study_versions).values(study_id=study_id, version=version, **values))


def record_deidentification(connection: Connection, study_id: str, version: int, now: datetime) -> None:
    """Mark what the version de-identified: what quarantine holds was kept back, the rest passed."""
    of_version = and_(
        instances.c.study_id == study_id, instances.c.version <= version, instances.c.purged_at.is_(None)
    )
    held = exists().where(_HELD)
    rule = select(func.max(quarantine.c.rule)).where(_HELD).scalar_subquery()
    connection.execute(
        update(instances)
        .where(of_version)
        .values(
            outcome=case((held, InstanceOutcome.QUARANTINED.value), else_=InstanceOutcome.DEIDENTIFIED.value),
            outcome_rule=rule,
            outcome_version=version,
            outcome_at=now,
        )
    )
    record_version(connection, study_id, version, deidentified_at=now)


def count_instances(connection: Connection, study_id: str) -> InstanceCounts:
    """Each instance once, by its newest row: what was purged may have come again."""
    newest = (
        select(func.max(instances.c.id).label("id"))
        .where(instances.c.study_id == study_id)
        .group_by(instances.c.sop_instance_uid)
        .subquery()
    )
    purged = instances.c.purged_at.is_not(None)
    query = (
        select(instances.c.outcome, purged.label("purged"), func.count().label("count"))
        .join(newest, newest.c.id == instances.c.id)
        .group_by(instances.c.outcome, purged)
    )
    counts: dict[tuple[str | None, bool], int] = {
        (row.outcome, bool(row.purged)): int(row._mapping["count"])  # noqa: SLF001 (its public name)
        for row in connection.execute(query)
    }

    def of(outcome: str) -> int:
        return counts.get((outcome, True), 0) + counts.get((outcome, False), 0)

    return InstanceCounts(
        received=sum(counts.values()),
        deidentified=of(InstanceOutcome.DEIDENTIFIED.value),
        quarantined=of(InstanceOutcome.QUARANTINED.value),
        waiting=counts.get((None, False), 0),
        withdrawn=counts.get((None, True), 0),
        purged=sum(count for (_, gone), count in counts.items() if gone),
    )


def versions_of(connection: Connection, study_id: str) -> tuple[VersionEntry, ...]:
    """The versions of a study, oldest first."""
    counted = connection.execute(
        select(instances.c.version, func.count())
        .where(instances.c.study_id == study_id)
        .group_by(instances.c.version)
    )
    taken: dict[int, int] = {row[0]: row[1] for row in counted}
    known = {
        row.version: row
        for row in connection.execute(select(study_versions).where(study_versions.c.study_id == study_id))
    }
    return tuple(
        VersionEntry(
            version=number,
            instances=taken.get(number, 0),
            completed_at=row.completed_at,
            completed_by=row.completed_by,
            deidentified_at=row.deidentified_at,
            processed_at=row.processed_at,
            ended_at=row.ended_at,
            state=None if row.state is None else StudyState(row.state),
            reason=row.reason,
        )
        if (row := known.get(number)) is not None
        else VersionEntry(version=number, instances=taken[number])
        for number in sorted(known.keys() | taken.keys())
    )


def page_of_instances(
    connection: Connection, study_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[InstanceEntry], str | None]:
    """See `ports.Ledger.instances`."""
    query = select(*_COLUMNS).where(instances.c.study_id == study_id)
    if cursor is not None:
        query = query.where(instances.c.id > number_of(cursor))
    rows = connection.execute(query.order_by(instances.c.id).limit(limit + 1)).all()
    taken = _runs(connection, study_id)
    entries = []
    for row in rows[:limit]:
        values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
        outcome = values["outcome"]
        values["outcome"] = None if outcome is None else InstanceOutcome(outcome)
        values["runs"] = tuple(
            taken[row.outcome_version, row.series_instance_uid]
            if values["outcome"] is InstanceOutcome.DEIDENTIFIED
            else ()
        )
        entries.append(InstanceEntry(**values))
    return entries, str(entries[-1].id) if len(rows) > limit else None


def number_of(cursor: str) -> int:
    """The row that a page ended with.

    Raises
    ------
    NotFound
        If the cursor is none that was given.
    """
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise NotFound("the cursor is none that the node gave; ask for the first page again")
    return int(cursor)


def _runs(connection: Connection, study_id: str) -> dict[tuple[int, str], list[InstanceRun]]:
    found: dict[tuple[int, str], list[InstanceRun]] = defaultdict(list)
    query = select(runs).where(runs.c.study_id == study_id).order_by(runs.c.version, runs.c.position)
    for row in connection.execute(query):
        run = InstanceRun(row.model, row.model_version, RunStatus(row.status))
        found[row.version, row.series_instance_uid].append(run)
    return found
