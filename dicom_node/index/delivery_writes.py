"""Changes of deliveries; each function is part of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, insert, select, update

from dicom_node.domain.delivery import DeliveryKey, DeliveryRecord, DeliveryStatus
from dicom_node.index import breakers, delivery_queue
from dicom_node.index.delivery_rows import object_row, of_key, row_of
from dicom_node.index.tables.deliveries import closings, deliveries, result_deliveries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from dicom_node.domain.breaker import Breaker
    from dicom_node.domain.delivery import DeliveryObject
    from dicom_node.domain.destination import Closing

_OBJECT_VALUES = ("status", "attempts", "sent_at", "confirmed_at", "reason")
_UPDATE_OBJECT = (
    update(result_deliveries)
    .where(
        *(
            result_deliveries.c[name] == bindparam(f"of_{name}")
            for name in ("study_id", "version", "destination", "sop_instance_uid")
        )
    )
    .values({name: bindparam(name) for name in _OBJECT_VALUES})
)
_FAILED: Final = DeliveryStatus.FAILED.value


def keep_closing(
    connection: Connection, closing: Closing, queued: Mapping[str, Sequence[DeliveryObject]]
) -> None:
    """Keep how an analysis ended and queue deliveries; see `ports.DeliveryStore.open`."""
    of_version = and_(closings.c.study_id == closing.study_id, closings.c.version == closing.version)
    now = closing.decided_at
    if connection.execute(select(closings.c.version).where(of_version)).first() is None:
        own = None if closing.own_uids is None else " ".join(sorted(closing.own_uids))
        connection.execute(
            insert(closings).values(
                study_id=closing.study_id,
                version=closing.version,
                state=closing.state.value,
                reason=closing.reason,
                own_uids=own,
                decided_at=now,
                look_at=now,
                number=0,
            )
        )
    for destination, objects in queued.items():
        key = DeliveryKey(closing.study_id, closing.version, destination)
        if connection.execute(select(deliveries.c.version).where(of_key(deliveries, key))).first() is None:
            new = DeliveryRecord(key, DeliveryStatus.PENDING, 0, None, now, now, now)
            connection.execute(
                insert(deliveries).values(
                    study_id=key.study_id, version=key.version, destination=destination, **row_of(new)
                )
            )
        known = select(result_deliveries.c.position).where(of_key(result_deliveries, key)).limit(1)
        if objects and connection.execute(known).first() is None:
            connection.execute(insert(result_deliveries), [object_row(key, item) for item in objects])


def replace(
    connection: Connection,
    record: DeliveryRecord,
    objects: Sequence[DeliveryObject],
    judged: Callable[[Breaker], Breaker] | None,
) -> None:
    """Replace what is known, unless the delivery was handed over again since."""
    changed = connection.execute(
        update(deliveries)
        .where(of_key(deliveries, record.key), deliveries.c.number == record.number)
        .values(row_of(record))
    )
    if not changed.rowcount:
        return
    set_objects(connection, record.key, objects)
    if judged is not None:
        before = breakers.find(connection, record.key.destination, lock=True)
        after = judged(before)
        if after != before:
            breakers.replace(connection, after)
    delivery_queue.look_again(connection, record.key.study_id, record.key.version, record.updated_at)


def set_objects(connection: Connection, key: DeliveryKey, objects: Sequence[DeliveryObject]) -> None:
    """Replace what is known of some objects."""
    if not objects:
        return
    rows: list[dict[str, Any]] = []
    for item in objects:
        row = object_row(key, item)
        rows.append(
            {name: row[name] for name in _OBJECT_VALUES}
            | {f"of_{name}": row[name] for name in ("study_id", "version", "destination", "sop_instance_uid")}
        )
    connection.execute(_UPDATE_OBJECT, rows)


def retry(connection: Connection, key: DeliveryKey, now: datetime) -> int:
    """Queue a dead letter again; 1 where it was one."""
    changed = connection.execute(
        update(deliveries)
        .where(of_key(deliveries, key), deliveries.c.status == _FAILED)
        .values(
            status=DeliveryStatus.PENDING.value,
            since=now,
            attempts_before=deliveries.c.attempts,
            updated_at=now,
            settled_at=None,
            next_at=None,
            dispatched_at=None,
            token=None,
            confirming_since=None,
        )
    )
    if changed.rowcount:
        connection.execute(
            update(result_deliveries)
            .where(of_key(result_deliveries, key), result_deliveries.c.status == _FAILED)
            .values(status=DeliveryStatus.PENDING.value)
        )
    return changed.rowcount


def discard(connection: Connection, key: DeliveryKey, now: datetime, reason: str) -> int:
    """End a dead letter for good; 1 where it was one."""
    changed = connection.execute(
        update(deliveries)
        .where(of_key(deliveries, key), deliveries.c.status == _FAILED)
        .values(
            status=DeliveryStatus.DISCARDED.value,
            reason=reason,
            updated_at=now,
            settled_at=now,
        )
    )
    if changed.rowcount:
        connection.execute(
            update(result_deliveries)
            .where(of_key(result_deliveries, key), result_deliveries.c.sent_at.is_(None))
            .values(status=DeliveryStatus.DISCARDED.value)
        )
        delivery_queue.look_again(connection, key.study_id, key.version, now)
    return changed.rowcount
