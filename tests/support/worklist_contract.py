"""What a `ports.Worklist` over a database must do. Modules that subclass give the fixture `engine`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from index_samples import SetClock
from workitem_samples import PATIENT, WORKITEM, code, completion, order

from dicom_node.domain import workitem_changes as changes
from dicom_node.domain.errors import Conflict, Gone, NotFound, StorageFailure
from dicom_node.domain.workitem import THIS_NODE, RunLink, WorkitemQuery, WorkitemRefused, WorkitemState
from dicom_node.domain.workitem_events import Change, EventType, node_status
from dicom_node.index.worklist import SqlWorklist

KEY = bytes(range(32))


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def store(engine, clock):
    return SqlWorklist(engine, clock, KEY, lambda: None)


def create(store, clock, uid=WORKITEM, **more):
    made = changes.create(order(**more), uid, clock.now(), "DEFAULT")
    store.create(made)
    return made.item


def claim(store, clock, uid=WORKITEM, transaction="2.25.1", performer=None):
    now = clock.now()
    target = WorkitemState.IN_PROGRESS
    return store.change(uid, lambda item, _: changes.change_state(item, target, transaction, now, performer))


def complete(store, clock, uid=WORKITEM):
    now = clock.now()

    def decide(item, _):
        updated = changes.update(item, completion(), "2.25.1", now).item
        return changes.change_state(updated, WorkitemState.COMPLETED, "2.25.1", now)

    return store.change(uid, decide)


class WorklistContract:
    def test_work_item_is_read_as_it_was_made(self, store, clock):
        item = create(store, clock)
        assert store.get(WORKITEM) == item

    def test_all_that_a_change_makes_is_kept(self, store, clock):
        create(store, clock)
        made = claim(store, clock, performer=THIS_NODE)
        linked = replace(made.item, run=RunLink("study", 3), asked=("pacs",))
        store.change(WORKITEM, lambda _item, _heard: Change(linked))
        assert store.get(WORKITEM) == linked
        assert store.waiting(THIS_NODE) == [(WORKITEM, linked.modified_at)]

    def test_uid_is_used_once_even_after_a_deletion(self, store, clock):
        create(store, clock)
        with pytest.raises(Conflict):
            create(store, clock)
        claim(store, clock)
        complete(store, clock)
        assert store.expire(clock.now(), clock.now()) == 1
        with pytest.raises(Gone):
            store.get(WORKITEM)
        with pytest.raises(Conflict):
            create(store, clock)

    def test_unknown_work_item_is_not_found(self, store, clock):
        with pytest.raises(NotFound):
            store.get("2.25.404")
        with pytest.raises(NotFound):
            claim(store, clock, "2.25.404")
        with pytest.raises(NotFound):
            store.subscribe("2.25.404", "AE", lock=False)

    def test_refused_change_leaves_everything_as_it_was(self, store, clock):
        item = create(store, clock)
        store.subscribe(WORKITEM, "WATCH", lock=False)
        before = store.events("WATCH", 0)
        with pytest.raises(WorkitemRefused):
            complete(store, clock)
        assert store.get(WORKITEM) == item
        assert store.events("WATCH", 0) == before

    def test_of_eight_who_claim_at_once_one_wins(self, store, clock):
        create(store, clock)
        store.subscribe(WORKITEM, "WATCH", lock=False)
        start = threading.Barrier(8)

        def attempt(number):
            start.wait()
            try:
                return claim(store, clock, transaction=f"2.25.{number}").item.transaction_uid
            except WorkitemRefused:
                return None

        with ThreadPoolExecutor(8) as threads:
            winners = [uid for uid in threads.map(attempt, range(1, 9)) if uid]
        assert len(winners) == 1
        assert store.get(WORKITEM).transaction_uid == winners[0]
        assert len(store.events("WATCH", 0)) == 2

    def test_nothing_is_lost_when_eight_change_at_once(self, store, clock):
        create(store, clock)

        def add(number):
            def decide(item, _):
                return Change(replace(item, asked=(*item.asked, str(number))))

            store.change(WORKITEM, decide)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(add, range(40)))
        assert sorted(store.get(WORKITEM).asked, key=int) == [str(n) for n in range(40)]

    def test_waiting_are_those_that_are_ready_or_claimed_by_the_performer(self, store, clock):
        create(store, clock, "2.25.1")
        create(store, clock, "2.25.2", InputReadinessState="INCOMPLETE")
        for uid, performer in (("2.25.3", THIS_NODE), ("2.25.4", "OTHER"), ("2.25.5", None)):
            create(store, clock, uid)
            claim(store, clock, uid, performer=performer)
        assert [uid for uid, _ in store.waiting(THIS_NODE)] == ["2.25.1", "2.25.3"]

    def test_search_narrows_by_column_and_by_what_is_sealed(self, store, clock):
        for number in range(1, 7):
            create(
                store,
                clock,
                f"2.25.{number}",
                PatientID=f"P{number % 2}",
                ScheduledProcedureStepPriority="HIGH" if number % 3 else "LOW",
            )
        claim(store, clock, "2.25.1")

        def found(**matches):
            page = store.search(WorkitemQuery({tag.removeprefix("t"): v for tag, v in matches.items()}))
            assert page.total == len(page.items)
            return [item.uid.removeprefix("2.25.") for item in page.items]

        assert found() == list("123456")
        assert found(t00100020="P1") == list("135")
        assert found(t00100020="P*") == list("123456")
        assert found(t00100020="P1", t00741200="LOW") == ["3"]
        assert found(t00741000="IN PROGRESS") == ["1"]
        assert found(t00741000="SCHEDULED,IN PROGRESS", t00080018="2.25.1,2.25.2") == ["1", "2"]
        assert found(t00100010="canary*", t00741200="LOW") == ["3", "6"]
        page = store.search(WorkitemQuery({"00100010": "*work*"}, limit=2, offset=3))
        assert ([item.uid for item in page.items], page.total) == (["2.25.4", "2.25.5"], 6)
        with pytest.raises(ValueError, match="PatientBirthDate"):
            store.search(WorkitemQuery({"00100030": "soon"}))

    def test_events_wait_in_their_order_until_they_are_received(self, store, clock):
        create(store, clock)
        store.subscribe(WORKITEM, "WATCH", lock=False)
        claim(store, clock)
        first, second = store.events("WATCH", store.undelivered("WATCH"))
        store.delivered([first.id])
        assert store.events("WATCH", store.undelivered("WATCH")) == [second]
        store.delivered([second.id])
        assert store.events("WATCH", store.undelivered("WATCH")) == []
        assert store.events("WATCH", first.id) == [second]
        assert store.events("OTHER", 0) == []

    def test_event_that_was_committed_late_is_not_passed_over(self, store, clock):
        create(store, clock)
        store.subscribe(WORKITEM, "WATCH", lock=False)
        claim(store, clock)
        first, second = store.events("WATCH", 0)
        store.delivered([second.id])
        assert store.events("WATCH", second.id) == [first]

    def test_node_tells_everybody_of_itself(self, store, clock):
        create(store, clock)
        store.subscribe(WORKITEM, "ONE", lock=False)
        store.subscribe_worklist("ALL", lock=False, matches=None)
        store.subscribe_worklist("SOME", lock=False, matches={"00100020": "NOBODY"})
        store.announce(node_status("RESTARTED"))
        for ae_title in ("ONE", "ALL", "SOME"):
            told = store.events(ae_title, 0)[-1].event
            assert told.type is EventType.SCP_STATUS_CHANGE

    def test_filter_of_a_subscription_is_kept_and_replaced(self, store, clock):
        store.subscribe_worklist("WATCH", lock=True, matches={"00100020": "A"})
        store.subscribe_worklist("WATCH", lock=True, matches={"00404018.00080100": "B"})
        create(store, clock, "2.25.1", PatientID="A")
        create(store, clock, "2.25.2", ScheduledWorkitemCodeSequence=code("B"))
        assert [queued.event.uid for queued in store.events("WATCH", 0)] == ["2.25.2"]

    def test_ended_work_items_go_after_a_while_and_locked_ones_stay(self, store, clock):
        for uid in ("2.25.1", "2.25.2", "2.25.3"):
            create(store, clock, uid)
        for uid in ("2.25.1", "2.25.2"):
            claim(store, clock, uid)
            complete(store, clock, uid)
        store.subscribe("2.25.2", "KEEPER", lock=True)
        now = clock.now()
        assert store.expire(now - timedelta(hours=1), now) == 0
        assert store.expire(now, now) == 1
        assert store.get("2.25.2").state is WorkitemState.COMPLETED
        assert store.get("2.25.3").state is WorkitemState.SCHEDULED
        assert store.events("KEEPER", 0) == []
        assert store.unsubscribe("2.25.2", "KEEPER")
        assert store.expire(now, now) == 1

    def test_another_key_opens_nothing(self, store, clock, engine):
        create(store, clock)
        other = SqlWorklist(engine, clock, bytes(32), lambda: None)
        with pytest.raises(StorageFailure) as caught:
            other.get(WORKITEM)
        assert PATIENT not in str(caught.value)
