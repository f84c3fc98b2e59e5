"""`ports.NotificationStore` over SQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from dicom_node.domain.notification import EventKind, Notification, NotificationState
from dicom_node.index import cursors
from dicom_node.index.database import peeking, transact
from dicom_node.index.tables.notifications import notifications

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

_COLUMNS = tuple(notifications.c[name] for name in Notification.__dataclass_fields__)


class SqlNotifications:
    """Messages of one node, or of several that share a database.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, messages: Sequence[Notification]) -> None:
        """See `ports.NotificationStore.add`."""
        if messages:
            transact(self._engine, lambda connection: _add(connection, messages))

    def claim(self, listener: str, now: datetime, until: datetime) -> Notification | None:
        """See `ports.NotificationStore.claim`."""
        with peeking(self._engine) as connection:
            # Most looks find nothing: they must not wait for the writers.
            if connection.execute(_due(listener, now)).first() is None:
                return None
        return transact(self._engine, lambda connection: _claim(connection, listener, now, until))

    def update(self, message: Notification) -> None:
        """See `ports.NotificationStore.update`."""
        statement = update(notifications).where(notifications.c.id == message.id).values(_row(message))
        transact(self._engine, lambda connection: connection.execute(statement))

    def retry(self, now: datetime, *, message_id: str | None = None, listener: str | None = None) -> int:
        """See `ports.NotificationStore.retry`."""
        statement = (
            update(notifications)
            .where(notifications.c.state == NotificationState.DEAD.value)
            .values(
                state=NotificationState.PENDING.value, attempts=0, queued_at=now, next_at=now, reason=None
            )
        )
        if message_id is not None:
            statement = statement.where(notifications.c.id == message_id)
        if listener is not None:
            statement = statement.where(notifications.c.listener == listener)
        return transact(self._engine, lambda connection: connection.execute(statement).rowcount)

    def page(
        self,
        *,
        state: NotificationState | None = None,
        listener: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[Notification], str | None]:
        """See `ports.NotificationStore.page`."""
        query = select(*_COLUMNS)
        if state is not None:
            query = query.where(notifications.c.state == state.value)
        if listener is not None:
            query = query.where(notifications.c.listener == listener)
        if cursor is not None:
            query = query.where(cursors.follows(notifications, cursor))
        query = query.order_by(notifications.c.created_at.desc(), notifications.c.id.desc()).limit(limit + 1)
        with peeking(self._engine) as connection:
            rows = connection.execute(query).all()
        following = cursors.encode(rows[limit - 1]) if len(rows) > limit else None
        return [_notification(row) for row in rows[:limit]], following

    def count(self) -> dict[tuple[str, NotificationState], int]:
        """See `ports.NotificationStore.count`."""
        query = select(notifications.c.listener, notifications.c.state, func.count()).group_by(
            notifications.c.listener, notifications.c.state
        )
        with peeking(self._engine) as connection:
            return {(name, NotificationState(state)): n for name, state, n in connection.execute(query)}

    def forget(self, sent_before: datetime) -> int:
        """See `ports.NotificationStore.forget`."""
        statement = delete(notifications).where(
            notifications.c.state == NotificationState.SENT.value, notifications.c.sent_at < sent_before
        )
        return transact(self._engine, lambda connection: connection.execute(statement).rowcount)


def _add(connection: Connection, messages: Sequence[Notification]) -> None:
    ids = [message.id for message in messages]
    query = select(notifications.c.id).where(notifications.c.id.in_(ids))
    known = set(connection.execute(query).scalars())
    rows = [_row(message) for message in messages if message.id not in known]
    if rows:
        connection.execute(insert(notifications), rows)


def _due(listener: str, now: datetime) -> Any:
    return (
        select(notifications.c.id)
        .where(
            notifications.c.listener == listener,
            notifications.c.state == NotificationState.PENDING.value,
            notifications.c.next_at <= now,
        )
        .order_by(notifications.c.next_at, notifications.c.id)
        .limit(1)
    )


def _claim(connection: Connection, listener: str, now: datetime, until: datetime) -> Notification | None:
    claimed = connection.execute(
        update(notifications)
        # The second condition counts where another node was faster after we had looked.
        .where(
            notifications.c.id == _due(listener, now).with_for_update().scalar_subquery(),
            notifications.c.next_at <= now,
        )
        .values(next_at=until)
        .returning(*_COLUMNS)
    ).first()
    return None if claimed is None else _notification(claimed)


def _row(message: Notification) -> dict[str, Any]:
    return asdict(message) | {"kind": message.kind.value, "state": message.state.value}


def _notification(row: Row[Any]) -> Notification:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values |= {"kind": EventKind(values["kind"]), "state": NotificationState(values["state"])}
    return Notification(**values)
