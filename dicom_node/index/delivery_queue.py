"""What of deliveries is due, and what the engine has; each function is part of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, exists, func, or_, select, update

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.index.delivery_rows import of_key, record_of, records
from dicom_node.index.tables.deliveries import closings, deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from dicom_node.domain.delivery import DeliveryKey, DeliveryRecord

#: Versions that are looked at in one go.
_LOOKS: Final = 100
_OLDER: Final = deliveries.alias("older")


def _due(now: datetime) -> ColumnElement[bool]:
    """Not settled, not with the engine, its time has come, and no older version of the study goes first."""
    older = exists().where(
        _OLDER.c.study_id == deliveries.c.study_id,
        _OLDER.c.destination == deliveries.c.destination,
        _OLDER.c.version < deliveries.c.version,
        _OLDER.c.settled_at.is_(None),
    )
    return and_(
        deliveries.c.settled_at.is_(None),
        deliveries.c.dispatched_at.is_(None),
        or_(deliveries.c.next_at.is_(None), deliveries.c.next_at <= now),
        ~older,
    )


def waiting(connection: Connection, now: datetime) -> set[str]:
    """Destinations with due deliveries."""
    return set(connection.execute(select(deliveries.c.destination).where(_due(now)).distinct()).scalars())


def dispatch(connection: Connection, destination: str, allowance: int, now: datetime) -> list[DeliveryRecord]:
    """Mark due deliveries as with the engine; see `ports.DeliveryStore.dispatch`."""
    if connection.dialect.name == "postgresql":
        # Two dispatchers that count at once would both find room.
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"deliver:{destination}"))))
    under_way = connection.execute(
        select(func.count())
        .select_from(deliveries)
        .where(
            deliveries.c.destination == destination,
            deliveries.c.settled_at.is_(None),
            deliveries.c.dispatched_at.is_not(None),
        )
    ).scalar_one()
    if under_way >= allowance:
        return []
    due = connection.execute(
        records()
        .where(deliveries.c.destination == destination, _due(now))
        .order_by(deliveries.c.created_at, deliveries.c.study_id, deliveries.c.version)
        .limit(allowance - under_way)
    )
    keys = [record_of(row).key for row in due]
    for key in keys:
        connection.execute(
            update(deliveries)
            .where(of_key(deliveries, key))
            .values(dispatched_at=now, number=deliveries.c.number + 1)
        )
    return [record_of(connection.execute(records().where(of_key(deliveries, key))).one()) for key in keys]


def dispatched(connection: Connection, before: datetime) -> list[DeliveryRecord]:
    """Deliveries that the engine has had since then."""
    query = records().where(deliveries.c.settled_at.is_(None), deliveries.c.dispatched_at <= before)
    return [record_of(row) for row in connection.execute(query)]


def queued(connection: Connection, destination: str, since: datetime) -> list[DeliveryRecord]:
    """Deliveries that the engine has not got and whose round began then or before."""
    query = records().where(
        deliveries.c.destination == destination,
        deliveries.c.settled_at.is_(None),
        deliveries.c.dispatched_at.is_(None),
        deliveries.c.since <= since,
    )
    return [record_of(row) for row in connection.execute(query)]


def release(connection: Connection, key: DeliveryKey, number: int) -> None:
    """Take back what the engine has, where it is this hand-over still."""
    connection.execute(
        update(deliveries)
        .where(of_key(deliveries, key), deliveries.c.number == number)
        .values(dispatched_at=None)
    )


def counts(connection: Connection) -> dict[str, dict[DeliveryStatus, int]]:
    """Deliveries by destination and status."""
    found = connection.execute(
        select(deliveries.c.destination, deliveries.c.status, func.count()).group_by(
            deliveries.c.destination, deliveries.c.status
        )
    )
    counted: dict[str, dict[DeliveryStatus, int]] = {}
    for destination, status, count in found:
        counted.setdefault(destination, {})[DeliveryStatus(status)] = count
    return counted


def look_again(connection: Connection, study_id: str, version: int, at: datetime) -> None:
    """Make a version due to be looked at, at this time or before."""
    connection.execute(
        update(closings)
        .where(
            closings.c.study_id == study_id,
            closings.c.version == version,
            or_(closings.c.look_at.is_(None), closings.c.look_at > at),
        )
        .values(look_at=at)
    )


def closings_due(connection: Connection, now: datetime) -> bool:
    """Whether any version is due to be looked at."""
    due = select(closings.c.version).where(_closing_due(now)).limit(1)
    return connection.execute(due).first() is not None


def take_closings(connection: Connection, now: datetime) -> list[tuple[str, int, int]]:
    """Mark due versions as being looked at."""
    found = connection.execute(
        select(closings.c.study_id, closings.c.version, closings.c.number)
        .where(_closing_due(now))
        .order_by(closings.c.look_at)
        .limit(_LOOKS)
        .with_for_update(skip_locked=True)
    ).all()
    for study_id, version, _ in found:
        connection.execute(
            update(closings)
            .where(_of(study_id, version))
            .values(dispatched_at=now, look_at=None, number=closings.c.number + 1)
        )
    return [(study_id, version, number + 1) for study_id, version, number in found]


def closings_with_engine(connection: Connection, before: datetime) -> Sequence[tuple[str, int, int]]:
    """Versions that have been looked at since then."""
    query = select(closings.c.study_id, closings.c.version, closings.c.number)
    found = connection.execute(query.where(closings.c.dispatched_at <= before))
    return [(study_id, version, number) for study_id, version, number in found]


def release_closing(
    connection: Connection, study_id: str, version: int, number: int, again_at: datetime | None
) -> None:
    """End a look, where it is this one still; what came up meanwhile keeps it due."""
    values: dict[str, Any] = {"dispatched_at": None}
    if again_at is not None:
        values["look_at"] = func.coalesce(closings.c.look_at, again_at)
    connection.execute(
        update(closings).where(_of(study_id, version), closings.c.number == number).values(values)
    )


def _closing_due(now: datetime) -> ColumnElement[bool]:
    return and_(closings.c.look_at <= now, closings.c.dispatched_at.is_(None))


def _of(study_id: str, version: int) -> ColumnElement[bool]:
    return and_(closings.c.study_id == study_id, closings.c.version == version)
