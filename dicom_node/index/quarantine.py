"""`ports.Quarantine` over SQL."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, select, update

from dicom_node.domain.errors import NodeError, NotFound, Quarantined, TransientError
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.quarantine import BY_NODE, Decision, QuarantinedInstance, QuarantineState
from dicom_node.domain.study import Stage, StudyState
from dicom_node.index import cursors, ledger
from dicom_node.index.database import peeking, reading, transact
from dicom_node.index.registration import register_one
from dicom_node.index.tables.quarantine import quarantine
from dicom_node.index.tables.studies import studies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

    from dicom_node.domain.instance import SourceInstance
    from dicom_node.ports.operation import Clock

_COLUMNS: Final = tuple(quarantine.c[name] for name in QuarantinedInstance.__dataclass_fields__)
_HELD: Final = QuarantineState.HELD.value
_RELEASED: Final = QuarantineState.RELEASED
_PASSED: Final = Decision(BY_NODE, "passed")
#: Ids in one statement; databases bound them.
_CHUNK: Final = 500


class SqlQuarantine:
    """Instances that were kept back, until a person decides.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def hold(self, item: QuarantinedInstance) -> None:
        """See `ports.Quarantine.hold`."""
        held = replace(item, state=QuarantineState.HELD, decided_at=None, decided_by=None, decision=None)
        now = self._clock.now()
        transact(self._engine, lambda c: _hold(c, held, now))

    def held(self, study_id: str, sop_instance_uid: str, sha256: str) -> QuarantinedInstance | None:
        """See `ports.Quarantine.held`."""
        query = select(*_COLUMNS).where(
            quarantine.c.study_id == study_id,
            quarantine.c.sop_instance_uid == sop_instance_uid,
            quarantine.c.sha256 == sha256,
            quarantine.c.state == _HELD,
        )
        with peeking(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else _item(row)

    def vouched(self, study_id: str) -> dict[tuple[str, str], frozenset[str]]:
        """See `ports.Quarantine.vouched`."""
        query = select(quarantine.c.sop_instance_uid, quarantine.c.sha256, quarantine.c.vouched).where(
            quarantine.c.study_id == study_id, quarantine.c.vouched.is_not(None)
        )
        rules: dict[tuple[str, str], set[str]] = defaultdict(set)
        with peeking(self._engine) as connection:
            for row in connection.execute(query):
                rules[row.sop_instance_uid, row.sha256].add(row.vouched)
        return {key: frozenset(names) for key, names in rules.items()}

    def lift(self, study_id: str, passed: Iterable[tuple[str, str]]) -> Sequence[QuarantinedInstance]:
        """See `ports.Quarantine.lift`."""
        query = select(*_COLUMNS).where(quarantine.c.study_id == study_id, quarantine.c.state == _HELD)
        with peeking(self._engine) as connection:
            held = [_item(row) for row in connection.execute(query)]
        through = set(passed) if held else set()
        ids = [item.id for item in held if (item.sop_instance_uid, item.sha256) in through]
        if not ids:
            return []
        now = self._clock.now()

        def release(connection: Connection) -> list[QuarantinedInstance]:
            return [_decided(connection, item_id, _RELEASED, _PASSED, now) for item_id in ids]

        return transact(self._engine, release)

    def get(self, item_id: str) -> QuarantinedInstance:
        """See `ports.Quarantine.get`."""
        with peeking(self._engine) as connection:
            return _get(connection, item_id)

    def page(
        self,
        *,
        study_id: str | None = None,
        state: QuarantineState | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[QuarantinedInstance], str | None]:
        """See `ports.Quarantine.page`."""
        query = select(*_COLUMNS)
        if study_id is not None:
            query = query.where(quarantine.c.study_id == study_id)
        if state is not None:
            query = query.where(quarantine.c.state == state.value)
        if cursor is not None:
            query = query.where(cursors.follows(quarantine, cursor))
        query = query.order_by(quarantine.c.created_at.desc(), quarantine.c.id.desc()).limit(limit + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        following = cursors.encode(rows[limit - 1]) if len(rows) > limit else None
        return [_item(row) for row in rows[:limit]], following

    def count_held(self, study_ids: Sequence[str]) -> dict[str, int]:
        """See `ports.Quarantine.count_held`."""
        counts: dict[str, int] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(study_ids), _CHUNK):
                query = (
                    select(quarantine.c.study_id, func.count())
                    .where(
                        quarantine.c.study_id.in_(study_ids[start : start + _CHUNK]),
                        quarantine.c.state == _HELD,
                    )
                    .group_by(quarantine.c.study_id)
                )
                counts.update((study_id, count) for study_id, count in connection.execute(query))
        return counts

    def source(self, item_id: str) -> SourceInstance:
        """See `ports.Quarantine.source`."""
        with reading(self._engine) as connection:
            item = _get(connection, item_id)
            found = ledger.last_source(connection, item.study_id, item.sop_instance_uid, item.sha256)
        if found is None:
            raise NotFound("the ledger holds no row of this instance; report this as a fault")
        return found

    def release(self, item_id: str, instance: SourceInstance, decision: Decision) -> QuarantinedInstance:
        """See `ports.Quarantine.release`."""
        now = self._clock.now()
        return transact(self._engine, lambda c: _release(c, item_id, instance, decision, now))

    def delete(self, item_id: str, decision: Decision) -> QuarantinedInstance:
        """See `ports.Quarantine.delete`."""
        now = self._clock.now()
        return transact(self._engine, lambda c: _delete(c, item_id, decision, now))

    def settle(self, item_id: str) -> None:
        """See `ports.Quarantine.settle`."""
        gone = update(quarantine).where(quarantine.c.id == item_id, quarantine.c.state != _HELD)
        transact(self._engine, lambda c: c.execute(gone.values(ref="")))

    def unsettled(self) -> Sequence[QuarantinedInstance]:
        """See `ports.Quarantine.unsettled`."""
        query = select(*_COLUMNS).where(quarantine.c.state != _HELD, quarantine.c.ref != "")
        with peeking(self._engine) as connection:
            return [_item(row) for row in connection.execute(query)]


def _hold(connection: Connection, item: QuarantinedInstance, now: datetime) -> None:
    values = {**asdict(item), "state": item.state.value, "vouched": None}
    del values["created_at"]
    changed = connection.execute(update(quarantine).where(quarantine.c.id == item.id).values(values))
    if not changed.rowcount:
        connection.execute(insert(quarantine).values({**values, "created_at": now}))


def _release(
    connection: Connection, item_id: str, instance: SourceInstance, decision: Decision, now: datetime
) -> QuarantinedInstance:
    item = _undecided(connection, item_id)
    if item.state is not QuarantineState.HELD:
        return item
    ledger.retire(connection, item.study_id, item.sop_instance_uid, item.sha256, now)
    outcome = register_one(connection, instance, now)
    if isinstance(outcome, NodeError):
        raise outcome
    if outcome is not StoreOutcome.STORED:
        raise Quarantined(
            "other bytes came under this SOP Instance UID meanwhile; delete this one, or purge the study",
            item.rule,
        )
    return _decided(connection, item_id, _RELEASED, decision, now, vouched=item.rule)


def _delete(connection: Connection, item_id: str, decision: Decision, now: datetime) -> QuarantinedInstance:
    item = _undecided(connection, item_id)
    if item.state is not QuarantineState.HELD:
        return item
    ledger.retire(connection, item.study_id, item.sop_instance_uid, item.sha256, now)
    return _decided(connection, item_id, QuarantineState.DELETED, decision, now)


def _undecided(connection: Connection, item_id: str) -> QuarantinedInstance:
    """The item, with its study locked, where nobody works on its source at this moment."""
    study_id = _get(connection, item_id).study_id
    study = connection.execute(
        select(studies.c.state, studies.c.stage).where(studies.c.id == study_id).with_for_update()
    ).one()
    if study.state == StudyState.PROCESSING.value and study.stage in {None, Stage.DEIDENTIFY.value}:
        raise TransientError("the study is being de-identified at this moment; try again in a moment")
    return _get(connection, item_id)


def _decided(
    connection: Connection,
    item_id: str,
    state: QuarantineState,
    decision: Decision,
    now: datetime,
    vouched: str | None = None,
) -> QuarantinedInstance:
    connection.execute(
        update(quarantine)
        .where(quarantine.c.id == item_id, quarantine.c.state == _HELD)
        .values(
            state=state.value,
            decided_at=now,
            decided_by=decision.by,
            decision=decision.reason,
            vouched=vouched,
        )
    )
    return _get(connection, item_id)


def _get(connection: Connection, item_id: str) -> QuarantinedInstance:
    row = connection.execute(select(*_COLUMNS).where(quarantine.c.id == item_id)).first()
    if row is None:
        raise NotFound("nothing in quarantine has this id; list it with GET /api/quarantine")
    return _item(row)


def _item(row: Row[Any]) -> QuarantinedInstance:
    item = QuarantinedInstance(*tuple(row))
    return replace(item, state=QuarantineState(item.state))
