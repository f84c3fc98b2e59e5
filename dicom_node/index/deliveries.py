"""`ports.DeliveryStore` over SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from dicom_node.domain.destination import Closing
from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import StudyState
from dicom_node.index import breakers, delivery_queue, delivery_writes
from dicom_node.index.database import peeking, reading, transact
from dicom_node.index.delivery_rows import (
    cursor_of,
    follows,
    object_of,
    of_key,
    record_of,
    records,
)
from dicom_node.index.tables.deliveries import closings, deliveries, result_deliveries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from dicom_node.domain.breaker import Breaker
    from dicom_node.domain.delivery import DeliveryKey, DeliveryObject, DeliveryRecord, DeliveryStatus


class SqlDeliveries:
    """Deliveries of one node, or of several that share a database.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, closing: Closing, deliveries: Mapping[str, Sequence[DeliveryObject]]) -> None:
        """See `ports.DeliveryStore.open`."""
        transact(
            self._engine, lambda connection: delivery_writes.keep_closing(connection, closing, deliveries)
        )

    def closing(self, study_id: str, version: int) -> Closing | None:
        """See `ports.DeliveryStore.closing`."""
        query = select(closings).where(closings.c.study_id == study_id, closings.c.version == version)
        with peeking(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        own = None if row.own_uids is None else frozenset(filter(None, row.own_uids.split(" ")))
        return Closing(row.study_id, row.version, StudyState(row.state), row.reason, own, row.decided_at)

    def get(self, key: DeliveryKey) -> DeliveryRecord:
        """See `ports.DeliveryStore.get`."""
        with peeking(self._engine) as connection:
            row = connection.execute(records().where(of_key(deliveries, key))).first()
        if row is None:
            raise NotFound("there is no such delivery; GET /api/deliveries lists them")
        return record_of(row)

    def of_version(self, study_id: str, version: int) -> Sequence[DeliveryRecord]:
        """See `ports.DeliveryStore.of_version`."""
        query = (
            records()
            .where(deliveries.c.study_id == study_id, deliveries.c.version == version)
            .order_by(deliveries.c.destination)
        )
        with peeking(self._engine) as connection:
            return [record_of(row) for row in connection.execute(query)]

    def page(
        self,
        *,
        status: DeliveryStatus | None = None,
        destination: str | None = None,
        study_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[DeliveryRecord], str | None]:
        """See `ports.DeliveryStore.page`."""
        query = records()
        if status is not None:
            query = query.where(deliveries.c.status == status.value)
        if destination is not None:
            query = query.where(deliveries.c.destination == destination)
        if study_id is not None:
            query = query.where(deliveries.c.study_id == study_id)
        if cursor is not None:
            query = query.where(follows(cursor))
        query = query.order_by(
            deliveries.c.created_at.desc(),
            deliveries.c.study_id.desc(),
            deliveries.c.version.desc(),
            deliveries.c.destination.desc(),
        ).limit(limit + 1)
        with peeking(self._engine) as connection:
            found = [record_of(row) for row in connection.execute(query)]
        shown = found[:limit]
        return shown, cursor_of(shown[-1]) if shown and len(found) > limit else None

    def objects(self, key: DeliveryKey) -> Sequence[DeliveryObject]:
        """See `ports.DeliveryStore.objects`."""
        query = select(result_deliveries).where(of_key(result_deliveries, key))
        with peeking(self._engine) as connection:
            found = connection.execute(query.order_by(result_deliveries.c.position))
            return [object_of(row) for row in found]

    def record(
        self,
        record: DeliveryRecord,
        objects: Sequence[DeliveryObject] = (),
        judged: Callable[[Breaker], Breaker] | None = None,
    ) -> None:
        """See `ports.DeliveryStore.record`; fenced by the number."""
        transact(
            self._engine, lambda connection: delivery_writes.replace(connection, record, objects, judged)
        )

    def record_objects(self, key: DeliveryKey, objects: Sequence[DeliveryObject]) -> None:
        """See `ports.DeliveryStore.record_objects`."""
        transact(self._engine, lambda connection: delivery_writes.set_objects(connection, key, objects))

    def waiting(self, now: datetime) -> set[str]:
        """See `ports.DeliveryStore.waiting`."""
        with peeking(self._engine) as connection:
            return delivery_queue.waiting(connection, now)

    def dispatch(self, destination: str, allowance: int, now: datetime) -> Sequence[DeliveryRecord]:
        """See `ports.DeliveryStore.dispatch`."""
        return transact(
            self._engine, lambda connection: delivery_queue.dispatch(connection, destination, allowance, now)
        )

    def dispatched(self, before: datetime) -> Sequence[DeliveryRecord]:
        """See `ports.DeliveryStore.dispatched`."""
        with peeking(self._engine) as connection:
            return delivery_queue.dispatched(connection, before)

    def queued(self, destination: str, since: datetime) -> Sequence[DeliveryRecord]:
        """See `ports.DeliveryStore.queued`."""
        with peeking(self._engine) as connection:
            return delivery_queue.queued(connection, destination, since)

    def release(self, key: DeliveryKey, number: int) -> None:
        """See `ports.DeliveryStore.release`."""
        transact(self._engine, lambda connection: delivery_queue.release(connection, key, number))

    def due_closings(self, now: datetime) -> Sequence[tuple[str, int, int]]:
        """See `ports.DeliveryStore.due_closings`."""
        with peeking(self._engine) as connection:
            # Most looks find nothing: they must not wait for the writers.
            if not delivery_queue.closings_due(connection, now):
                return []
        return transact(self._engine, lambda connection: delivery_queue.take_closings(connection, now))

    def dispatched_closings(self, before: datetime) -> Sequence[tuple[str, int, int]]:
        """See `ports.DeliveryStore.dispatched_closings`."""
        with peeking(self._engine) as connection:
            return delivery_queue.closings_with_engine(connection, before)

    def release_closings(self, looked_at: Sequence[tuple[str, int, int, datetime | None]]) -> None:
        """See `ports.DeliveryStore.release_closings`."""

        def release(connection: Connection) -> None:
            for study_id, version, number, again_at in looked_at:
                delivery_queue.release_closing(connection, study_id, version, number, again_at)

        transact(self._engine, release)

    def breaker(self, destination: str) -> Breaker:
        """See `ports.DeliveryStore.breaker`."""
        with peeking(self._engine) as connection:
            return breakers.find(connection, destination)

    def breakers(self) -> Sequence[Breaker]:
        """See `ports.DeliveryStore.breakers`."""
        with peeking(self._engine) as connection:
            return breakers.find_all(connection)

    def set_breaker(self, breaker: Breaker) -> None:
        """See `ports.DeliveryStore.set_breaker`."""
        transact(self._engine, lambda connection: breakers.replace(connection, breaker))

    def claim_probe(self, destination: str, now: datetime, until: datetime) -> bool:
        """See `ports.DeliveryStore.claim_probe`."""
        return transact(
            self._engine, lambda connection: breakers.claim_probe(connection, destination, now, until)
        )

    def retry(self, keys: Iterable[DeliveryKey], now: datetime) -> int:
        """See `ports.DeliveryStore.retry`."""
        wanted = list(keys)
        return transact(
            self._engine,
            lambda connection: sum(delivery_writes.retry(connection, key, now) for key in wanted),
        )

    def discard(self, keys: Iterable[DeliveryKey], now: datetime, reason: str) -> int:
        """See `ports.DeliveryStore.discard`."""
        wanted = list(keys)
        return transact(
            self._engine,
            lambda connection: sum(delivery_writes.discard(connection, key, now, reason) for key in wanted),
        )

    def counts(self) -> Mapping[str, Mapping[DeliveryStatus, int]]:
        """See `ports.DeliveryStore.counts`."""
        with reading(self._engine) as connection:
            return delivery_queue.counts(connection)
