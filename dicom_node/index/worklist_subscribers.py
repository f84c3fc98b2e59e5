"""Who is subscribed to which work items.

References
----------
PS3.4 §CC.2.3 and Table CC.2.3-2 (subscription states).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, select, union, update

from dicom_node.index.tables.worklist import workitem_subscriptions as single
from dicom_node.index.tables.worklist import worklist_subscriptions as whole
from dicom_node.index.worklist_matching import read_keys

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from dicom_node.domain.workitem import Workitem
    from dicom_node.index.worklist_seal import WorklistSeal


def of(connection: Connection, uid: str) -> list[str]:
    """AE titles that are subscribed to a work item."""
    found = select(single.c.ae_title).where(single.c.uid == uid).order_by(single.c.ae_title)
    return list(connection.execute(found).scalars())


def everybody(connection: Connection) -> list[str]:
    """AE titles that are subscribed to anything."""
    return sorted(connection.execute(union(select(single.c.ae_title), select(whole.c.ae_title))).scalars())


def subscribe_to_new(connection: Connection, seal: WorklistSeal, item: Workitem) -> None:
    """Subscribe to a new work item who is subscribed to the worklist, or to a part that it is of."""
    for row in connection.execute(select(whole)).all():
        matches = seal.open(_filter_of(row.ae_title), row.sealed) if row.sealed else {}
        if all(key.accepts(item.attributes) for key in read_keys(matches)):
            put_where_absent(connection, item.uid, row.ae_title, row.deletion_lock)


def put(connection: Connection, uid: str, ae_title: str, lock: bool) -> None:
    """Subscribe, or change the lock of a subscription."""
    mine = (single.c.uid == uid) & (single.c.ae_title == ae_title)
    changed = connection.execute(update(single).where(mine).values(deletion_lock=lock))
    if not changed.rowcount:
        connection.execute(insert(single).values(uid=uid, ae_title=ae_title, deletion_lock=lock))


def put_where_absent(connection: Connection, uid: str, ae_title: str, lock: bool) -> None:
    """Subscribe who is not subscribed: a subscription to the very work item comes first."""
    mine = select(single.c.uid).where(single.c.uid == uid, single.c.ae_title == ae_title)
    if connection.execute(mine).first() is None:
        connection.execute(insert(single).values(uid=uid, ae_title=ae_title, deletion_lock=lock))


def put_worklist(
    connection: Connection,
    seal: WorklistSeal,
    ae_title: str,
    lock: bool,
    matches: dict[str, str] | None,
) -> None:
    """Subscribe to the worklist, or replace the lock and filter of that subscription."""
    values: dict[str, Any] = {
        "deletion_lock": lock,
        "sealed": None if matches is None else seal.seal(_filter_of(ae_title), matches),
    }
    filtered = matches is not None
    changed = connection.execute(update(whole).where(_whole(ae_title, filtered)).values(values))
    if not changed.rowcount:
        connection.execute(insert(whole).values(ae_title=ae_title, filtered=filtered, **values))


def remove(connection: Connection, uid: str, ae_title: str) -> bool:
    """End a subscription; whether there was one."""
    mine = (single.c.uid == uid) & (single.c.ae_title == ae_title)
    return bool(connection.execute(delete(single).where(mine)).rowcount)


def remove_all(connection: Connection, ae_title: str, *, filtered: bool) -> bool:
    """End the subscription to the worklist and all to single work items; whether there was one."""
    if not suspend(connection, ae_title, filtered=filtered):
        mine = select(single.c.uid).where(single.c.ae_title == ae_title).limit(1)
        if connection.execute(mine).first() is None:
            return False
    connection.execute(delete(single).where(single.c.ae_title == ae_title))
    return True


def suspend(connection: Connection, ae_title: str, *, filtered: bool) -> bool:
    """End the subscription to the worklist alone; whether there was one."""
    return bool(connection.execute(delete(whole).where(_whole(ae_title, filtered))).rowcount)


def forget(connection: Connection, uid: str) -> None:
    """End all subscriptions to a work item."""
    connection.execute(delete(single).where(single.c.uid == uid))


def locked(uid: Any) -> ColumnElement[bool]:
    """Whether a work item has a deletion lock, as a condition on its UID column."""
    return exists().where(single.c.uid == uid, single.c.deletion_lock.is_(True))


def _whole(ae_title: str, filtered: bool) -> ColumnElement[bool]:
    return (whole.c.ae_title == ae_title) & (whole.c.filtered == filtered)


def _filter_of(ae_title: str) -> str:
    return f"filter/{ae_title}"
