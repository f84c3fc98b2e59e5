"""The ledger of source instances: what came in, when, and when it was purged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, insert, select, update

from dicom_node.domain.errors import SlotExpired
from dicom_node.domain.instance import SourceInstance, StoreOutcome
from dicom_node.domain.study import ENDED, StudyState
from dicom_node.index.tables.studies import instances, studies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_SOURCE_COLUMNS = tuple(instances.c[name] for name in SourceInstance.__dataclass_fields__)
_LOCK_STUDIES = (
    select(
        studies.c.id,
        studies.c.state,
        studies.c.version,
        studies.c.epoch,
        studies.c.modalities,
        studies.c.received_instances,
        studies.c.received_bytes,
    )
    .where(studies.c.id.in_(bindparam("ids", expanding=True)))
    # One order for all writers, so that none waits for another in a circle.
    .order_by(studies.c.id)
    .with_for_update()
)
_KNOWN = select(
    instances.c.sop_instance_uid, instances.c.study_id, instances.c.sha256, instances.c.purged_at
).where(instances.c.sop_instance_uid.in_(bindparam("uids", expanding=True)))
_INSERT = insert(instances)
_UPDATE_STUDY = (
    update(studies)
    .where(studies.c.id == bindparam("of"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "version",
                "modalities",
                "received_instances",
                "received_bytes",
                "last_received_at",
            )
        }
        | {"purged_at": None}
    )
)
_REOPEN = (
    update(studies)
    .where(studies.c.id == bindparam("of"))
    .values(stage=None, ended_at=None, reason=None, completed_by=None)
)
_FIND = select(*_SOURCE_COLUMNS).where(
    instances.c.sop_instance_uid == bindparam("uid"), instances.c.purged_at.is_(None)
)
_SOURCES = (
    select(*_SOURCE_COLUMNS)
    .where(
        instances.c.study_id == bindparam("study_id"),
        instances.c.version <= bindparam("up_to"),
        instances.c.purged_at.is_(None),
    )
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)


@dataclass(slots=True)
class _Study:
    """A study's row while a batch changes it."""

    id: str
    state: StudyState
    version: int
    epoch: int
    modalities: set[str]
    received_instances: int
    received_bytes: int
    changed: bool = False
    reopened: bool = False

    def take(self, instance: SourceInstance, *, seen_before: bool) -> int:
        """Count an instance in; return the version that takes it."""
        self.changed = True
        if self.state in ENDED:
            self.state = StudyState.RECEIVING
            self.version += 1
            self.reopened = True
        if instance.modality:
            self.modalities.add(instance.modality)
        if not seen_before:
            self.received_instances += 1
            self.received_bytes += instance.size
        return self.version + (self.state is StudyState.PROCESSING)


def register_batch(
    connection: Connection, batch: Sequence[SourceInstance], now: datetime
) -> list[StoreOutcome | SlotExpired]:
    """Insert what is new; each instance's outcome, in order."""
    locked = {
        row.id: _study_of(row)
        for row in connection.execute(_LOCK_STUDIES, {"ids": list({i.study_id for i in batch})})
    }
    present: dict[str, str] = {}
    ever: set[tuple[str, str]] = set()
    for row in connection.execute(_KNOWN, {"uids": list({i.sop_instance_uid for i in batch})}):
        ever.add((row.study_id, row.sop_instance_uid))
        if row.purged_at is None:
            present[row.sop_instance_uid] = row.sha256
    rows: list[dict[str, Any]] = []
    outcomes: list[StoreOutcome | SlotExpired] = []
    for instance in batch:
        uid = instance.sop_instance_uid
        if uid in present:
            same = present[uid] == instance.sha256
            outcomes.append(StoreOutcome.DUPLICATE if same else StoreOutcome.CONFLICT)
            continue
        study = locked.get(instance.study_id)
        if study is None or study.epoch != instance.epoch:
            outcomes.append(SlotExpired("the study was purged while an instance was written; write it again"))
            continue
        seen_before = (study.id, uid) in ever
        version = study.take(instance, seen_before=seen_before)
        rows.append(asdict(instance) | {"version": version, "received_at": now, "purged_at": None})
        present[uid] = instance.sha256
        ever.add((study.id, uid))
        outcomes.append(StoreOutcome.STORED)
    if rows:
        connection.execute(_INSERT, rows)
        _write_back(connection, [study for study in locked.values() if study.changed], now)
    return outcomes


def find_source(connection: Connection, sop_instance_uid: str) -> SourceInstance | None:
    """The unpurged instance of a UID."""
    row = connection.execute(_FIND, {"uid": sop_instance_uid}).first()
    return None if row is None else SourceInstance(*row)


def last_source(
    connection: Connection, study_id: str, sop_instance_uid: str, sha256: str
) -> SourceInstance | None:
    """The newest row of an instance with these bytes, purged or not."""
    row = connection.execute(
        select(*_SOURCE_COLUMNS)
        .where(
            instances.c.study_id == study_id,
            instances.c.sop_instance_uid == sop_instance_uid,
            instances.c.sha256 == sha256,
        )
        .order_by(instances.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else SourceInstance(*row)


def retire(connection: Connection, study_id: str, sop_instance_uid: str, sha256: str, now: datetime) -> None:
    """Mark the unpurged row of these bytes purged, where there is one."""
    connection.execute(
        update(instances)
        .where(
            instances.c.study_id == study_id,
            instances.c.sop_instance_uid == sop_instance_uid,
            instances.c.sha256 == sha256,
            instances.c.purged_at.is_(None),
        )
        .values(purged_at=now)
    )


def sources(connection: Connection, study_id: str, version: int) -> list[SourceInstance]:
    """The unpurged instances of a study up to a version."""
    found = connection.execute(_SOURCES, {"study_id": study_id, "up_to": version})
    return [SourceInstance(*row) for row in found]


def _study_of(row: Row[*tuple[Any, ...]]) -> _Study:
    return _Study(
        id=row.id,
        state=StudyState(row.state),
        version=row.version,
        epoch=row.epoch,
        modalities=set(filter(None, row.modalities.split("\\"))),
        received_instances=row.received_instances,
        received_bytes=row.received_bytes,
    )


def _write_back(connection: Connection, changed: Sequence[_Study], now: datetime) -> None:
    connection.execute(
        _UPDATE_STUDY,
        [
            {
                "of": study.id,
                "state": study.state.value,
                "version": study.version,
                "modalities": "\\".join(sorted(study.modalities)),
                "received_instances": study.received_instances,
                "received_bytes": study.received_bytes,
                "last_received_at": now,
            }
            for study in changed
        ],
    )
    reopened = [{"of": study.id} for study in changed if study.reopened]
    if reopened:
        connection.execute(_REOPEN, reopened)
