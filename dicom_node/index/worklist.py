"""`ports.Worklist` over SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, insert, select, update

from dicom_node.domain import workitem as ups
from dicom_node.domain.errors import Conflict, Gone, NotFound
from dicom_node.domain.workitem import WorkitemPage, WorkitemState
from dicom_node.domain.workitem_events import state_report
from dicom_node.index import worklist_events, worklist_subscribers
from dicom_node.index.database import peeking, reading, transact
from dicom_node.index.keys import Options
from dicom_node.index.tables.worklist import workitems
from dicom_node.index.worklist_matching import exact, read_keys
from dicom_node.index.worklist_seal import WorklistSeal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

    from dicom_node.domain.workitem import Workitem, WorkitemQuery
    from dicom_node.domain.workitem_events import Change, QueuedEvent, WorkitemEvent
    from dicom_node.ports.operation import Clock

#: Rows that are read in one go while work items are opened.
_AT_A_TIME: Final = 200
_FINAL: Final = (WorkitemState.COMPLETED.value, WorkitemState.CANCELED.value)


class SqlWorklist:
    """Work items, subscriptions and queued events; safe for threads, and processes that share it.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    key
        32 bytes that seal what identifies.
    queued
        Called after events were queued.
    """

    def __init__(self, engine: Engine, clock: Clock, key: bytes, queued: Callable[[], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._seal = WorklistSeal(key)
        self._queued = queued

    def create(self, made: Change) -> None:
        """See `ports.Worklist.create`."""
        item, now = made.item, self._clock.now()

        def work(connection: Connection) -> None:
            known = select(workitems.c.uid).where(workitems.c.uid == item.uid)
            if connection.execute(known).first() is not None:
                raise Conflict("a work item of this UID exists already; create it under another one")
            connection.execute(insert(workitems).values(self._seal.row(item)))
            worklist_subscribers.subscribe_to_new(connection, self._seal, item)
            self._queue(connection, item.uid, made.events, now)

        transact(self._engine, work)
        self._queued()

    def get(self, uid: str) -> Workitem:
        """See `ports.Worklist.get`."""
        with peeking(self._engine) as connection:
            return self._get(connection, uid)

    def change(self, uid: str, decide: Callable[[Workitem, bool], Change]) -> Change:
        """See `ports.Worklist.change`."""
        now = self._clock.now()

        def work(connection: Connection) -> Change:
            item = self._get(connection, uid, lock=True)
            made = decide(item, bool(worklist_subscribers.of(connection, uid)))
            if made.item != item:
                row = update(workitems).where(workitems.c.uid == uid)
                connection.execute(row.values(self._seal.row(made.item)))
            self._queue(connection, uid, made.events, now)
            return made

        made = transact(self._engine, work)
        if made.events:
            self._queued()
        return made

    def search(self, query: WorkitemQuery) -> WorkitemPage:
        """See `ports.Worklist.search`.

        What columns can tell the database decides. For other keys every work item that is left is opened,
        one at a time: about 0.1 s for a thousand.
        """
        keys = read_keys(query.matches, Options(query.fuzzy, query.empty, query.multiple))
        told = dict(self._told(query.matches))
        narrowed = [workitems.c.sealed.is_not(None), *told.values()]
        rows = select(workitems).where(*narrowed).order_by(workitems.c.created_at, workitems.c.uid)
        asked = [key for key in keys if ".".join(key.path) not in told]
        with reading(self._engine) as connection:
            if not asked:
                total = connection.execute(
                    select(func.count()).select_from(workitems).where(*narrowed)
                ).scalar_one()
                page = connection.execute(rows.offset(query.offset).limit(query.limit))
                return WorkitemPage([self._seal.item(row) for row in page], total)
            found: list[Workitem] = []
            total = 0
            for row in connection.execute(rows.execution_options(yield_per=_AT_A_TIME)):
                item = self._seal.item(row)
                if all(key.accepts(item.attributes) for key in asked):
                    total += 1
                    if total > query.offset and (query.limit is None or len(found) < query.limit):
                        found.append(item)
        return WorkitemPage(found, total)

    def waiting(self, performer: str) -> Sequence[tuple[str, datetime]]:
        """See `ports.Worklist.waiting`."""
        ready = (workitems.c.state == WorkitemState.SCHEDULED.value) & (workitems.c.readiness == "READY")
        claimed = (workitems.c.state == WorkitemState.IN_PROGRESS.value) & (
            workitems.c.performer == performer
        )
        rows = select(workitems.c.uid, workitems.c.modified_at).where(ready | claimed)
        with peeking(self._engine) as connection:
            found = connection.execute(rows.order_by(workitems.c.created_at, workitems.c.uid))
            return [(row.uid, row.modified_at) for row in found]

    def subscribe(self, uid: str, ae_title: str, *, lock: bool) -> None:
        """See `ports.Worklist.subscribe`."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            item = self._get(connection, uid, lock=True)
            worklist_subscribers.put(connection, uid, ae_title, lock)
            worklist_events.queue(connection, self._seal, [ae_title], [state_report(item)], now)

        transact(self._engine, work)
        self._queued()

    def subscribe_worklist(self, ae_title: str, *, lock: bool, matches: dict[str, str] | None) -> None:
        """See `ports.Worklist.subscribe_worklist`."""
        keys, now = read_keys(matches or {}), self._clock.now()

        def work(connection: Connection) -> None:
            worklist_subscribers.put_worklist(connection, self._seal, ae_title, lock, matches)
            rows = connection.execute(select(workitems).where(workitems.c.sealed.is_not(None)))
            for row in rows.all():
                item = self._seal.item(row)
                if not all(key.accepts(item.attributes) for key in keys):
                    continue
                worklist_subscribers.put_where_absent(connection, item.uid, ae_title, lock)
                if lock:
                    worklist_events.queue(connection, self._seal, [ae_title], [state_report(item)], now)

        transact(self._engine, work)
        self._queued()

    def unsubscribe(self, uid: str, ae_title: str) -> bool:
        """See `ports.Worklist.unsubscribe`."""
        return transact(self._engine, lambda c: worklist_subscribers.remove(c, uid, ae_title))

    def unsubscribe_worklist(self, ae_title: str, *, filtered: bool) -> bool:
        """See `ports.Worklist.unsubscribe_worklist`."""
        return transact(
            self._engine, lambda c: worklist_subscribers.remove_all(c, ae_title, filtered=filtered)
        )

    def suspend(self, ae_title: str, *, filtered: bool) -> bool:
        """See `ports.Worklist.suspend`."""
        return transact(self._engine, lambda c: worklist_subscribers.suspend(c, ae_title, filtered=filtered))

    def announce(self, event: WorkitemEvent) -> None:
        """See `ports.Worklist.announce`."""
        now = self._clock.now()

        def work(connection: Connection) -> None:
            everybody = worklist_subscribers.everybody(connection)
            worklist_events.queue(connection, self._seal, everybody, [event], now)

        transact(self._engine, work)
        self._queued()

    def undelivered(self, ae_title: str) -> int:
        """See `ports.Worklist.undelivered`."""
        with peeking(self._engine) as connection:
            return worklist_events.undelivered(connection, ae_title)

    def events(self, ae_title: str, after: int, limit: int = 100) -> Sequence[QueuedEvent]:
        """See `ports.Worklist.events`."""
        with peeking(self._engine) as connection:
            return [self._seal.event(row) for row in worklist_events.of(connection, ae_title, after, limit)]

    def delivered(self, ids: Iterable[int]) -> None:
        """See `ports.Worklist.delivered`."""
        known, now = list(ids), self._clock.now()
        transact(self._engine, lambda c: worklist_events.delivered(c, known, now))

    def expire(self, ended_before: datetime, queued_before: datetime) -> int:
        """See `ports.Worklist.expire`."""

        def work(connection: Connection) -> int:
            worklist_events.forget(connection, queued_before)
            old = select(workitems.c.uid).where(
                workitems.c.state.in_(_FINAL),
                workitems.c.modified_at < ended_before,
                workitems.c.sealed.is_not(None),
                ~worklist_subscribers.locked(workitems.c.uid),
            )
            uids = list(connection.execute(old).scalars())
            for uid in uids:
                worklist_subscribers.forget(connection, uid)
                gone = update(workitems).where(workitems.c.uid == uid)
                connection.execute(gone.values(sealed=None, patient_key="", performer=None))
            return len(uids)

        return transact(self._engine, work)

    def _told(self, matches: dict[str, str]) -> Iterable[tuple[str, ColumnElement[bool]]]:
        """Keys that columns decide, with their conditions."""
        for tag, column in (
            (ups.STATE, workitems.c.state),
            (ups.PRIORITY, workitems.c.priority),
            (ups.READINESS, workitems.c.readiness),
            (ups.SOP_INSTANCE_UID, workitems.c.uid),
        ):
            value = exact(matches, tag)
            if value is not None:
                yield tag, column == value
        patient = exact(matches, ups.PATIENT_ID)
        if patient is not None:
            yield ups.PATIENT_ID, workitems.c.patient_key == self._seal.patient_key(patient)

    def _queue(
        self, connection: Connection, uid: str, events: Sequence[WorkitemEvent], now: datetime
    ) -> None:
        if events:
            subscribers = worklist_subscribers.of(connection, uid)
            worklist_events.queue(connection, self._seal, subscribers, events, now)

    def _get(self, connection: Connection, uid: str, *, lock: bool = False) -> Workitem:
        query: Any = select(workitems).where(workitems.c.uid == uid)
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound("there is no work item of this UID")
        if row.sealed is None:
            raise Gone("the work item was deleted after its end")
        return self._seal.item(row)
