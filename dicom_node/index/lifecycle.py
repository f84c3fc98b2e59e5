"""How a study moves: open, process, end, purge. Every function is safe to run again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, insert, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import ENDED, Completion, Slot, Stage, StudyState
from dicom_node.index.instance_ledger import record_version
from dicom_node.index.tables.studies import instances, purges, studies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_ENDED = frozenset(state.value for state in ENDED)


def slot_of(connection: Connection, study_instance_uid: str) -> Slot | None:
    """Where new instances of a known study go."""
    row = connection.execute(
        select(studies.c.id, studies.c.epoch).where(studies.c.study_instance_uid == study_instance_uid)
    ).first()
    return None if row is None else Slot(row.id, row.epoch)


def create_study(connection: Connection, study_instance_uid: str, now: datetime) -> Slot:
    """Make a study that holds nothing yet, or find that another thread was faster."""
    known = slot_of(connection, study_instance_uid)
    if known is not None:
        return known
    study_id = uuid.uuid4().hex
    connection.execute(
        insert(studies).values(
            id=study_id,
            study_instance_uid=study_instance_uid,
            state=StudyState.RECEIVING.value,
            version=1,
            epoch=0,
            modalities="",
            received_instances=0,
            received_bytes=0,
            created_at=now,
            last_received_at=now,
        )
    )
    return Slot(study_id, 0)


def due(connection: Connection, last_received_before: datetime) -> list[str]:
    """Ids of studies that have been quiet since then; one that holds nothing is never due."""
    found = connection.execute(
        select(studies.c.id)
        .where(
            studies.c.state == StudyState.RECEIVING.value,
            studies.c.last_received_at <= last_received_before,
            studies.c.received_instances > 0,
        )
        .order_by(studies.c.last_received_at, studies.c.id)
    )
    return list(found.scalars())


def begin_processing(connection: Connection, study_id: str, why: Completion, now: datetime) -> int | None:
    """`receiving` to `processing`; one caller wins."""
    version: int | None = connection.execute(
        update(studies)
        .where(
            studies.c.id == study_id,
            studies.c.state == StudyState.RECEIVING.value,
            studies.c.received_instances > 0,
        )
        .values(state=StudyState.PROCESSING.value, stage=None, completed_by=why.value)
        .returning(studies.c.version)
    ).scalar()
    if version is not None:
        record_version(connection, study_id, version, completed_at=now, completed_by=why.value)
    return version


def unfinished(connection: Connection) -> Sequence[tuple[str, int]]:
    """(id, version) of all studies in `processing`."""
    found = connection.execute(
        select(studies.c.id, studies.c.version)
        .where(studies.c.state == StudyState.PROCESSING.value)
        .order_by(studies.c.last_received_at, studies.c.id)
    )
    return [(row.id, row.version) for row in found]


def set_stage(connection: Connection, study_id: str, version: int, stage: Stage) -> None:
    """Record the stage of the version that is worked on; an ended version has none."""
    connection.execute(
        update(studies)
        .where(
            studies.c.id == study_id,
            studies.c.version == version,
            studies.c.state == StudyState.PROCESSING.value,
        )
        .values(stage=stage.value)
    )


def finish(
    connection: Connection,
    study_id: str,
    version: int,
    state: StudyState,
    reason: str | None,
    now: datetime,
) -> None:
    """End a version, or go on to the next where late instances wait. An older version changes nothing."""
    study = _locked(connection, study_id)
    if study.version != version or study.state == StudyState.RECEIVING.value:
        return
    values: dict[str, Any]
    if study.state == StudyState.PROCESSING.value and has_late(connection, study_id, version):
        values = {
            "state": StudyState.RECEIVING.value,
            "version": version + 1,
            "reason": None,
            "completed_by": None,
        }
    else:
        values = {"state": state.value, "reason": reason}
        if study.state not in _ENDED:
            values["ended_at"] = now
    connection.execute(update(studies).where(studies.c.id == study_id).values(stage=None, **values))
    ended = {} if study.state in _ENDED else {"ended_at": now}
    record_version(connection, study_id, version, state=state.value, reason=reason, **ended)


def begin_purge(connection: Connection, study_id: str, version: int, now: datetime) -> Slot | None:
    """Mark the unpurged instances purged and open the next epoch; see `ports.StudyIndex.begin_purge`."""
    study = _locked(connection, study_id)
    begun = (
        select(purges.c.epoch).where(purges.c.study_id == study_id).order_by(purges.c.epoch.desc()).limit(1)
    )
    epoch = connection.execute(begun.where(purges.c.version == version)).scalar()
    if epoch is not None:
        return Slot(study_id, epoch)
    if has_late(connection, study_id, version):
        return None
    if not _unpurged(connection, study_id):
        # A later version's purge took everything; its slot again, for nothing is left to do.
        epoch = connection.execute(begun).scalar()
        if epoch is not None:
            return Slot(study_id, epoch)
    connection.execute(
        insert(purges).values(study_id=study_id, epoch=study.epoch, version=version, begun_at=now)
    )
    connection.execute(
        update(instances)
        .where(instances.c.study_id == study_id, instances.c.purged_at.is_(None))
        .values(purged_at=now)
    )
    connection.execute(update(studies).where(studies.c.id == study_id).values(epoch=study.epoch + 1))
    return Slot(study_id, study.epoch)


def purged(connection: Connection, study_id: str, slot: Slot, now: datetime) -> None:
    """Record that bytes and key of a slot are gone; the study is purged where it holds nothing newer."""
    if slot.study_id != study_id:
        raise NotFound("the slot is another study's; report this as a fault")
    _locked(connection, study_id)
    first = connection.execute(
        update(purges)
        .where(
            purges.c.study_id == slot.study_id,
            purges.c.epoch == slot.epoch,
            purges.c.purged_at.is_(None),
        )
        .values(purged_at=now)
    )
    if first.rowcount and not _unpurged(connection, slot.study_id):
        connection.execute(update(studies).where(studies.c.id == slot.study_id).values(purged_at=now))


def _locked(connection: Connection, study_id: str) -> Row[*tuple[Any, ...]]:
    row: Row[*tuple[Any, ...]] | None = connection.execute(
        select(studies.c.state, studies.c.version, studies.c.epoch)
        .where(studies.c.id == study_id)
        .with_for_update()
    ).first()
    if row is None:
        raise NotFound("the index knows no study of this id")
    return row


def has_late(connection: Connection, study_id: str, version: int) -> bool:
    """Whether unpurged instances wait for a later version."""
    return _count(connection, study_id, instances.c.version > version) > 0


def _unpurged(connection: Connection, study_id: str) -> bool:
    return _count(connection, study_id) > 0


def _count(connection: Connection, study_id: str, *conditions: Any) -> int:
    return connection.execute(
        select(func.count())
        .select_from(instances)
        .where(instances.c.study_id == study_id, instances.c.purged_at.is_(None), *conditions)
    ).scalar_one()
