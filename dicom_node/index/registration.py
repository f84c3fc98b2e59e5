"""Registering instances: the transaction that every instance pays for.

It goes by the driver's own cursor. SQLAlchemy writes the statements, once; to execute them by it costs
several times what the database takes, and receiving is bound by processor time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from dicom_node.domain.errors import SlotExpired
from dicom_node.domain.instance import SourceInstance, StoreOutcome
from dicom_node.domain.study import ENDED, StudyState
from dicom_node.index.tables.studies import instances, studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql.elements import ClauseElement

_SOURCE: Final = tuple(SourceInstance.__dataclass_fields__)
_COLUMNS: Final = (*_SOURCE, "received_at", "purged_at")
_INSERT: Final = insert(instances).values({name: bindparam(name) for name in _COLUMNS})
_CHANGED: Final = (
    "state",
    "version",
    "modalities",
    "received_instances",
    "received_bytes",
    "last_received_at",
    "purged_at",
)
_UPDATE: Final = (
    update(studies)
    .where(studies.c.id == bindparam("of"))
    .values({name: bindparam(name) for name in _CHANGED})
)
_REOPENED: Final = ("stage", "ended_at", "reason", "completed_by")
_REOPEN: Final = (
    update(studies)
    .where(studies.c.id == bindparam("of"))
    .values({name: bindparam(name) for name in _REOPENED})
)


def _lock_studies(count: int) -> ClauseElement:
    # One order for all writers, so that none waits for another in a circle.
    return (
        select(
            studies.c.id,
            studies.c.state,
            studies.c.version,
            studies.c.epoch,
            studies.c.modalities,
            studies.c.received_instances,
            studies.c.received_bytes,
        )
        .where(studies.c.id.in_([bindparam(f"of{number}") for number in range(count)]))
        .order_by(studies.c.id)
        .with_for_update()
    )


def _known_instances(count: int) -> ClauseElement:
    return select(
        instances.c.sop_instance_uid, instances.c.study_id, instances.c.sha256, instances.c.purged_at
    ).where(instances.c.sop_instance_uid.in_([bindparam(f"of{number}") for number in range(count)]))


class _Statement:
    """A statement as the driver takes it."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Values by name, in the driver's style."""
        return values if self._order is None else [values[name] for name in self._order]


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


class Registration:
    """Registers batches on one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert = _Statement(_INSERT, dialect)
        self._update = _Statement(_UPDATE, dialect)
        self._reopen = _Statement(_REOPEN, dialect)
        self._lock_studies = lru_cache(512)(lambda count: _Statement(_lock_studies(count), dialect))
        self._known_instances = lru_cache(512)(lambda count: _Statement(_known_instances(count), dialect))
        bind = instances.c.received_at.type.dialect_impl(dialect).bind_processor(dialect)
        self._bind_time = bind

    def register(
        self, cursor: Any, batch: Sequence[SourceInstance], now: datetime
    ) -> list[StoreOutcome | SlotExpired]:
        """Insert what is new; each instance's outcome, in order.

        Parameters
        ----------
        cursor
            The driver's, in a transaction.
        """
        locked = {
            row[0]: _study_of(row)
            for row in _fetch(cursor, self._lock_studies, {instance.study_id for instance in batch})
        }
        present: dict[str, str] = {}
        ever: set[tuple[str, str]] = set()
        uids = {instance.sop_instance_uid for instance in batch}
        for uid, study_id, sha256, purged_at in _fetch(cursor, self._known_instances, uids):
            ever.add((study_id, uid))
            if purged_at is None:
                present[uid] = sha256
        bind: Any = self._bind_time
        received_at = bind(now) if bind is not None else now
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
                outcomes.append(
                    SlotExpired("the study was purged while an instance was written; write it again")
                )
                continue
            row = {name: getattr(instance, name) for name in _SOURCE}
            row["version"] = study.take(instance, seen_before=(study.id, uid) in ever)
            row["received_at"], row["purged_at"] = received_at, None
            rows.append(row)
            present[uid] = instance.sha256
            ever.add((study.id, uid))
            outcomes.append(StoreOutcome.STORED)
        if rows:
            _execute(cursor, self._insert, rows)
            self._write_back(cursor, [study for study in locked.values() if study.changed], received_at)
        return outcomes

    def _write_back(self, cursor: Any, changed: Sequence[_Study], received_at: Any) -> None:
        _execute(
            cursor,
            self._update,
            [
                {
                    "of": study.id,
                    "state": study.state.value,
                    "version": study.version,
                    "modalities": "\\".join(sorted(study.modalities)),
                    "received_instances": study.received_instances,
                    "received_bytes": study.received_bytes,
                    "last_received_at": received_at,
                    "purged_at": None,
                }
                for study in changed
            ],
        )
        nothing = dict.fromkeys(_REOPENED)
        _execute(cursor, self._reopen, [{"of": study.id} | nothing for study in changed if study.reopened])


def register_one(
    connection: Connection, instance: SourceInstance, now: datetime
) -> StoreOutcome | SlotExpired:
    """Register an instance within a transaction that does more."""
    cursor = connection.connection.cursor()
    return Registration(connection.dialect).register(cursor, [instance], now)[0]


def _fetch(cursor: Any, statement: Any, wanted: set[str]) -> list[Any]:
    chosen = statement(len(wanted))
    values = {f"of{number}": value for number, value in enumerate(wanted)}
    cursor.execute(chosen.text, chosen.parameters(values))
    found: list[Any] = cursor.fetchall()
    return found


def _execute(cursor: Any, statement: _Statement, rows: Sequence[Mapping[str, Any]]) -> None:
    if len(rows) == 1:
        cursor.execute(statement.text, statement.parameters(rows[0]))
    elif rows:
        cursor.executemany(statement.text, [statement.parameters(row) for row in rows])


def _study_of(row: Sequence[Any]) -> _Study:
    return _Study(
        id=row[0],
        state=StudyState(row[1]),
        version=row[2],
        epoch=row[3],
        modalities=set(filter(None, row[4].split("\\"))),
        received_instances=row[5],
        received_bytes=row[6],
    )
