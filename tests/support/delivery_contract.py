"""What every `ports.DeliveryStore` over a database must do. Subclasses' modules give the fixture `engine`."""

from dataclasses import replace
from datetime import timedelta

import pytest
from index_samples import STUDY, SetClock, instance

from dicom_node.domain.breaker import Breaker, BreakerState
from dicom_node.domain.delivery import DeliveryKey, DeliveryObject, DeliveryStatus
from dicom_node.domain.destination import Closing
from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import StudyState
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.studies import SqlStudyIndex

PENDING, SENT, FAILED = DeliveryStatus.PENDING, DeliveryStatus.SENT, DeliveryStatus.FAILED
NOW = SetClock().time
OBJECTS = (DeliveryObject(0, "2.25.9.1"), DeliveryObject(1, "2.25.9.2"))


def later(seconds):
    return NOW + timedelta(seconds=seconds)


class DeliveryContract:
    @pytest.fixture
    def store(self, engine):
        return SqlDeliveries(engine)

    @pytest.fixture
    def study(self, engine):
        """A function that makes a study: number to id."""
        index = SqlStudyIndex(engine, SetClock())

        def make(number=1):
            uid = f"{STUDY}.{number}"
            slot = index.open_slot(uid)
            index.register(instance(slot, 1, study=uid))
            return slot.study_id

        return make

    def queue(self, store, study_id, *destinations, version=1, at=NOW, objects=OBJECTS):
        closing = Closing(study_id, version, StudyState.DONE, None, frozenset({"2.25.9.1"}), at)
        store.open(closing, dict.fromkeys(destinations, objects))
        return [DeliveryKey(study_id, version, name) for name in destinations]

    def settle(self, store, record, status=SENT, at=NOW):
        store.record(
            replace(record, status=status, dispatched_at=None, settled_at=at, updated_at=at), objects=()
        )

    def test_what_was_queued_is_due_with_its_objects_in_order(self, store, study):
        (key,) = self.queue(store, study(), "pacs", objects=OBJECTS[::-1])
        assert store.objects(key) == list(OBJECTS)
        record = store.get(key)
        assert (record.status, record.objects, record.sent) == (PENDING, 2, 0)
        assert store.waiting(NOW) == {"pacs"}
        assert store.closing(key.study_id, 1).own_uids == {"2.25.9.1"}

    def test_queueing_again_changes_nothing(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        (taken,) = store.dispatch("pacs", 1, NOW)
        store.record_objects(key, [replace(OBJECTS[0], status=SENT, sent_at=NOW)])
        self.queue(store, key.study_id, "pacs", at=later(9))
        assert store.get(key) == replace(taken, sent=1)
        assert store.closing(key.study_id, 1).decided_at == NOW

    def test_no_more_than_allowed_are_with_the_engine(self, store, study):
        for number in range(3):
            self.queue(store, study(number), "pacs", "cloud", at=later(number))
        first = store.dispatch("pacs", 2, later(9))
        assert [record.created_at for record in first] == [later(0), later(1)]
        assert store.dispatch("pacs", 2, later(9)) == []
        assert len(store.dispatch("cloud", 1, later(9))) == 1
        self.settle(store, first[0])
        (third,) = store.dispatch("pacs", 2, later(9))
        assert (third.created_at, third.number) == (later(2), 1)

    def test_newer_version_waits_for_the_older_at_the_same_destination(self, store, study):
        study_id = study()
        self.queue(store, study_id, "pacs")
        newer = self.queue(store, study_id, "pacs", "cloud", version=2, at=later(1))
        (older,) = store.dispatch("pacs", 5, later(9))
        assert older.key.version == 1
        assert [record.key for record in store.dispatch("cloud", 5, later(9))] == [newer[1]]
        self.settle(store, older)
        assert [record.key for record in store.dispatch("pacs", 5, later(9))] == [newer[0]]

    def test_delivery_that_waits_for_its_time_is_not_due_before(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        (record,) = store.dispatch("pacs", 1, NOW)
        store.record(replace(record, attempts=1, dispatched_at=None, next_at=later(60), updated_at=NOW))
        assert store.waiting(later(59)) == set()
        assert store.dispatch("pacs", 1, later(59)) == []
        (again,) = store.dispatch("pacs", 1, later(60))
        assert (again.key, again.number, again.attempts) == (key, 2, 1)

    def test_attempt_that_was_taken_back_records_nothing(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        (lost,) = store.dispatch("pacs", 1, NOW)
        assert [record.key for record in store.dispatched(NOW)] == [key]
        store.release(key, lost.number)
        (current,) = store.dispatch("pacs", 1, NOW)
        store.release(key, lost.number)
        self.settle(store, lost, FAILED)
        assert store.get(key) == current

    def test_counts_of_objects_follow_them(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        store.record_objects(
            key,
            [
                replace(OBJECTS[0], status=DeliveryStatus.CONFIRMED, sent_at=NOW, confirmed_at=NOW),
                replace(OBJECTS[1], status=SENT, sent_at=NOW, attempts=2),
            ],
        )
        record = store.get(key)
        assert (record.objects, record.sent, record.confirmed) == (2, 2, 1)
        assert store.objects(key)[1].attempts == 2

    def test_version_is_looked_at_once_for_each_change(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        assert store.due_closings(NOW) == [(key.study_id, 1, 1)]
        assert store.due_closings(NOW) == []
        assert store.dispatched_closings(NOW) == [(key.study_id, 1, 1)]
        store.release_closings([(key.study_id, 1, 1, later(5))])
        assert store.due_closings(later(4)) == []
        (record,) = store.dispatch("pacs", 1, later(4))
        self.settle(store, record, at=later(4))
        assert store.due_closings(later(4)) == [(key.study_id, 1, 2)]
        self.settle(store, record, at=later(5))  # while it is looked at
        store.release_closings([(key.study_id, 1, 2, None)])
        assert store.due_closings(later(5)) == [(key.study_id, 1, 3)]
        store.release_closings([(key.study_id, 1, 3, None)])
        assert store.due_closings(later(99)) == []

    def test_dead_letter_is_retried_with_what_was_not_taken(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        (record,) = store.dispatch("pacs", 1, NOW)
        taken = replace(OBJECTS[0], status=SENT, sent_at=NOW, attempts=1)
        store.record(
            replace(record, status=FAILED, attempts=3, dispatched_at=None, settled_at=NOW, reason="no"),
            [taken, replace(OBJECTS[1], status=FAILED, reason="no")],
        )
        assert store.retry([key], later(5)) == 1
        assert store.retry([key], later(6)) == 0
        assert [item.status for item in store.objects(key)] == [SENT, PENDING]
        (again,) = store.dispatch("pacs", 1, later(6))
        assert (again.attempts, again.attempts_before, again.since) == (3, 3, later(5))

    def test_discarded_dead_letter_stays_ended(self, store, study):
        (key,) = self.queue(store, study(), "pacs")
        (record,) = store.dispatch("pacs", 1, NOW)
        assert store.discard([key], later(1), "not needed") == 0
        self.settle(store, record, FAILED)
        assert store.discard([key], later(1), "not needed") == 1
        assert store.get(key).status is DeliveryStatus.DISCARDED
        assert {item.status for item in store.objects(key)} == {DeliveryStatus.DISCARDED}
        assert store.retry([key], later(2)) == 0
        assert store.waiting(later(9)) == set()

    def test_pages_are_newest_first_and_hold_every_delivery_once(self, store, study):
        for number in range(3):
            self.queue(store, study(number), "cloud", "pacs", at=later(number // 2))
        seen, cursor = [], None
        while True:
            page, cursor = store.page(limit=4, cursor=cursor)
            seen += [record.key for record in page]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 6
        assert [record.created_at for record in store.page()[0]] == [later(1)] * 2 + [NOW] * 4
        one = store.page(destination="pacs", study_id=seen[0].study_id, status=PENDING)[0]
        assert [record.key for record in one] == [replace(seen[0], destination="pacs")]
        assert store.page(status=SENT) == ([], None)
        assert store.counts() == {"cloud": {PENDING: 3}, "pacs": {PENDING: 3}}
        with pytest.raises(NotFound):
            store.page(cursor="bm9uZQ")
        with pytest.raises(NotFound):
            store.get(replace(seen[0], version=9))

    def test_breaker_is_shared_and_one_caller_makes_the_probe(self, store, engine):
        other = SqlDeliveries(engine)
        assert store.breaker("pacs") == Breaker("pacs")
        opened = Breaker("pacs").failed(NOW, "away", limit=1, open_s=30)
        store.set_breaker(opened)
        assert other.breaker("pacs") == opened
        assert other.breakers() == [opened]
        assert not store.claim_probe("pacs", later(29), later(60))
        assert store.claim_probe("pacs", later(30), later(60))
        assert not other.claim_probe("pacs", later(30), later(60))
        other.set_breaker(opened.probed())
        assert store.breaker("pacs").state is BreakerState.HALF_OPEN
        store.set_breaker(Breaker("pacs"))
        assert store.breakers() == []
