"""Circuit breakers of destinations as rows; each function is part of a transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from dicom_node.domain.breaker import Breaker, BreakerState
from dicom_node.index.tables.deliveries import destination_breakers

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row


def find(connection: Connection, destination: str, *, lock: bool = False) -> Breaker:
    """How a destination does; closed where nothing is known. Its row may be locked until the end."""
    query = select(destination_breakers).where(_of(destination))
    row = connection.execute(query.with_for_update() if lock else query).first()
    return Breaker(destination) if row is None else _breaker(row)


def find_all(connection: Connection) -> list[Breaker]:
    """All that are known, by name."""
    query = select(destination_breakers).order_by(destination_breakers.c.destination)
    return [_breaker(row) for row in connection.execute(query)]


def replace(connection: Connection, breaker: Breaker) -> None:
    """Replace what is known of a destination; one that does well has no row."""
    of_this = _of(breaker.destination)
    if breaker == Breaker(breaker.destination):
        connection.execute(delete(destination_breakers).where(of_this))
        return
    row = asdict(breaker) | {"state": breaker.state.value}
    changed = connection.execute(update(destination_breakers).where(of_this).values(row))
    if not changed.rowcount:
        connection.execute(insert(destination_breakers).values(row))


def claim_probe(connection: Connection, destination: str, now: datetime, until: datetime) -> bool:
    """Whether this caller makes the probe that is due."""
    claimed = connection.execute(
        update(destination_breakers)
        .where(
            _of(destination),
            destination_breakers.c.state == BreakerState.OPEN.value,
            destination_breakers.c.probe_at <= now,
        )
        .values(probe_at=until)
    )
    return bool(claimed.rowcount)


def _of(destination: str) -> ColumnElement[bool]:
    return destination_breakers.c.destination == destination


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(
        row.destination,
        BreakerState(row.state),
        row.failures,
        row.openings,
        row.opened_at,
        row.probe_at,
        row.reason,
    )
