"""Studies as people and the API see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, func, select

from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import Completion, Stage, StudyRecord, StudyState
from dicom_node.index import cursors
from dicom_node.index.outcomes import Outcomes
from dicom_node.index.tables.studies import studies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

#: A study that was opened but holds nothing yet (its first instance was refused, say) is not shown.
_SHOWN: Final = studies.c.received_instances > 0


def find_study(connection: Connection, study_id: str) -> StudyRecord:
    """One study.

    Raises
    ------
    NotFound
    """
    row = connection.execute(select(studies).where(studies.c.id == study_id)).first()
    if row is None:
        raise NotFound("the index knows no study of this id")
    return _records(connection, [row])[0]


def page_of_studies(
    connection: Connection,
    *,
    state: StudyState | None,
    study_instance_uid: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[StudyRecord], str | None]:
    """A page, newest first, and the cursor of the next.

    Raises
    ------
    NotFound
        If the cursor is none that this function gave.
    """
    query = select(studies).where(_SHOWN)
    if state is not None:
        query = query.where(studies.c.state == state.value)
    if study_instance_uid is not None:
        query = query.where(studies.c.study_instance_uid == study_instance_uid)
    if cursor is not None:
        query = query.where(cursors.follows(studies, cursor))
    query = query.order_by(studies.c.created_at.desc(), studies.c.id.desc()).limit(limit + 1)
    rows = connection.execute(query).all()
    shown = rows[:limit]
    following = cursors.encode(shown[-1]) if shown and len(rows) > limit else None
    return _records(connection, shown), following


def count_by_state(connection: Connection) -> dict[StudyState, int]:
    """How many studies stand in each state; every state is there."""
    found = connection.execute(select(studies.c.state, func.count()).where(_SHOWN).group_by(studies.c.state))
    counts = dict.fromkeys(StudyState, 0)
    counts.update({StudyState(state): count for state, count in found})
    return counts


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> list[StudyRecord]:
    if not rows:
        return []
    outcomes = Outcomes(connection, [row.id for row in rows])
    return [_record(row, outcomes) for row in rows]


def _record(row: Row[Any], outcomes: Outcomes) -> StudyRecord:
    received = filter(None, row.modalities.split("\\"))
    return StudyRecord(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        state=StudyState(row.state),
        stage=None if row.stage is None else Stage(row.stage),
        version=row.version,
        epoch=row.epoch,
        modalities=tuple(sorted({*received, *outcomes.modalities.get(row.id, ())})),
        body_part=outcomes.body_part.get(row.id),
        received_instances=row.received_instances,
        received_bytes=row.received_bytes,
        created_at=row.created_at,
        last_received_at=row.last_received_at,
        ended_at=row.ended_at,
        purged_at=row.purged_at,
        reason=row.reason,
        runs=tuple(outcomes.runs.get(row.id, ())),
        results=tuple(outcomes.results.get(row.id, ())),
        deliveries=tuple(outcomes.deliveries.get(row.id, ())),
        completed_by=None if row.completed_by is None else Completion(row.completed_by),
    )
