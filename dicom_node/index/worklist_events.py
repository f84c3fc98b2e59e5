"""Events on their way to subscribers: queued with the change that caused them, kept for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update

from dicom_node.index.tables.worklist import workitem_events as events

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from dicom_node.domain.workitem_events import WorkitemEvent
    from dicom_node.index.worklist_seal import WorklistSeal

#: Ids in one statement; databases bound them.
_CHUNK: Final = 500


def queue(
    connection: Connection,
    seal: WorklistSeal,
    subscribers: Sequence[str],
    told: Sequence[WorkitemEvent],
    now: datetime,
) -> None:
    """Queue events for each subscriber, in their order."""
    rows = [
        {
            "ae_title": ae_title,
            "uid": event.uid,
            "type": int(event.type),
            "sealed": seal.seal(f"event/{event.uid}", event.information),
            "created_at": now,
        }
        for event in told
        for ae_title in subscribers
    ]
    if rows:
        connection.execute(insert(events), rows)


def undelivered(connection: Connection, ae_title: str) -> int:
    """The id before that of the oldest event that was not received; the last id where all were."""
    mine = events.c.ae_title == ae_title
    oldest = connection.execute(
        select(func.min(events.c.id)).where(mine, events.c.delivered_at.is_(None))
    ).scalar()
    if oldest is not None:
        return int(oldest) - 1
    return int(connection.execute(select(func.max(events.c.id)).where(mine)).scalar() or 0)


def of(connection: Connection, ae_title: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Rows behind an id, and any before it that nobody received: ids are not given in order of commits."""
    wanted = (events.c.id > after) | events.c.delivered_at.is_(None)
    found = select(events).where(events.c.ae_title == ae_title, wanted)
    return connection.execute(found.order_by(events.c.id).limit(limit)).all()


def delivered(connection: Connection, ids: Iterable[int], now: datetime) -> None:
    """Mark as received."""
    known = list(ids)
    for start in range(0, len(known), _CHUNK):
        connection.execute(
            update(events)
            .where(events.c.id.in_(known[start : start + _CHUNK]), events.c.delivered_at.is_(None))
            .values(delivered_at=now)
        )


def forget(connection: Connection, before: datetime) -> None:
    """Delete old events, received or not."""
    connection.execute(delete(events).where(events.c.created_at < before))
