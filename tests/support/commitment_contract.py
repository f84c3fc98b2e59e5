"""What every `ports.CommitmentStore` over a database must do; modules give the fixture `engine`."""

from datetime import timedelta

import pytest
from index_samples import SetClock, instance
from pydicom.uid import CTImageStorage, MRImageStorage
from sqlalchemy import select, text

from dicom_node.domain.commitment import (
    CommitmentReport,
    CommitmentState,
    FailureReason,
    ObjectReference,
)
from dicom_node.domain.errors import NotFound, StorageFailure
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.source_classes import SqlInstanceLookup
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.tables.commitments import commitments as table

ONE, TWO = (ObjectReference(CTImageStorage, f"1.2.826.0.1.{n}") for n in (1, 2))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def commitments(engine):
    return SqlCommitments(engine, SetClock(), b"k" * 32)


@pytest.fixture
def now():
    return SetClock().now() + timedelta(hours=1)


class CommitmentContract:
    def test_request_is_pending_until_its_peer_reports(self, commitments):
        uid = commitments.begin("PACS", [ONE, TWO])
        assert commitments.outcome(uid).state is CommitmentState.PENDING
        assert commitments.settle(CommitmentReport(uid, (ONE, TWO)), "PACS")
        outcome = commitments.outcome(uid)
        assert outcome.state is CommitmentState.COMMITTED
        assert outcome.failures == {}
        assert outcome.ended_at > outcome.requested_at

    def test_report_of_another_peer_changes_nothing(self, commitments):
        uid = commitments.begin("PACS", [ONE])
        assert not commitments.settle(CommitmentReport(uid, (ONE,)), "STRANGER")
        assert not commitments.settle(CommitmentReport("2.25.404", (ONE,)), "PACS")
        assert commitments.outcome(uid).state is CommitmentState.PENDING

    def test_failures_keep_their_reasons(self, commitments):
        uid = commitments.begin("PACS", [ONE, TWO])
        failures = {TWO: int(FailureReason.RESOURCE_LIMITATION)}
        assert commitments.settle(CommitmentReport(uid, (ONE,), failures), "PACS")
        outcome = commitments.outcome(uid)
        assert outcome.state is CommitmentState.FAILED
        assert outcome.failures == {TWO.sop_instance_uid: 0x0213}
        assert TWO.sop_instance_uid not in outcome.reason

    def test_what_a_report_leaves_out_is_not_committed(self, commitments):
        uid = commitments.begin("PACS", [ONE, TWO])
        commitments.settle(CommitmentReport(uid, (ONE,)), "PACS")
        assert commitments.outcome(uid).failures == {TWO.sop_instance_uid: 0x0112}

    def test_instance_reported_under_another_sop_class_is_not_committed(self, commitments):
        uid = commitments.begin("PACS", [ONE])
        other = ObjectReference(MRImageStorage, ONE.sop_instance_uid)
        commitments.settle(CommitmentReport(uid, (other,)), "PACS")
        assert commitments.outcome(uid).state is CommitmentState.FAILED

    def test_second_report_changes_nothing(self, commitments):
        uid = commitments.begin("PACS", [ONE])
        commitments.settle(CommitmentReport(uid, (ONE,)), "PACS")
        assert commitments.settle(CommitmentReport(uid, (), {ONE: 0x0110}), "PACS")
        assert commitments.outcome(uid).state is CommitmentState.COMMITTED

    def test_request_that_the_peer_did_not_take_has_failed(self, commitments):
        uid = commitments.begin("PACS", [ONE])
        commitments.refused(uid, "the peer does not take it")
        assert commitments.outcome(uid).state is CommitmentState.FAILED
        assert commitments.outcome(uid).reason == "the peer does not take it"

    def test_unknown_transaction_is_not_found(self, commitments):
        with pytest.raises(NotFound):
            commitments.outcome("2.25.404")

    def test_order_is_claimed_once_until_its_time(self, commitments, now):
        order_id = commitments.accept("CT", "1.2.3", [TWO, ONE])
        order = commitments.claim(now, now + MINUTE)
        assert (order.id, order.peer_ae_title, order.transaction_uid) == (order_id, "CT", "1.2.3")
        assert set(order.objects) == {ONE, TWO}
        assert not order.duplicate
        assert commitments.claim(now, now + MINUTE) is None
        assert commitments.claim(now + MINUTE, now + 2 * MINUTE).id == order_id

    def test_named_order_is_claimed_alone(self, commitments, now):
        first = commitments.accept("CT", "1.2.3", [ONE])
        second = commitments.accept("CT", "1.2.4", [TWO])
        assert commitments.claim(now, now + MINUTE, second).id == second
        assert commitments.claim(now, now + MINUTE, second) is None
        assert commitments.claim(now, now + MINUTE).id == first

    def test_postponed_order_comes_back_with_its_attempts(self, commitments, now):
        order_id = commitments.accept("CT", "1.2.3", [ONE])
        commitments.claim(now, now + MINUTE)
        commitments.postpone(order_id, now + 2 * MINUTE, "nobody there")
        assert commitments.claim(now + MINUTE, now + 3 * MINUTE) is None
        assert commitments.claim(now + 2 * MINUTE, now + 3 * MINUTE).attempts == 1

    @pytest.mark.parametrize("end", ["reported", "give_up"])
    def test_ended_order_is_not_due_and_forgets_what_it_named(self, commitments, engine, now, end):
        order_id = commitments.accept("CT", "1.2.3", [ONE])
        if end == "reported":
            commitments.reported(order_id)
        else:
            commitments.give_up(order_id, "no peer of this AE title")
        assert commitments.claim(now, now + MINUTE) is None
        with engine.connect() as connection:
            assert connection.execute(select(table.c.sealed)).scalar_one() is None

    def test_same_request_again_is_the_same_order(self, commitments, now):
        first = commitments.accept("CT", "1.2.3", [ONE, TWO])
        commitments.reported(first)
        assert commitments.accept("CT", "1.2.3", [TWO, ONE]) == first
        again = commitments.claim(now, now + MINUTE)
        assert (again.id, again.duplicate) == (first, False)

    def test_transaction_uid_in_use_for_other_instances_is_told(self, commitments, now):
        first = commitments.accept("CT", "1.2.3", [ONE])
        second = commitments.accept("CT", "1.2.3", [TWO])
        assert second != first
        assert commitments.claim(now, now + MINUTE, second).duplicate
        assert commitments.accept("MR", "1.2.3", [TWO]) not in (first, second)

    def test_database_holds_no_uid_in_clear(self, commitments, engine):
        commitments.accept("CT", "1.2.826.77", [ONE])
        commitments.settle(CommitmentReport(commitments.begin("PACS", [TWO]), (), {TWO: 0x0110}), "PACS")
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM commitments")).all()
        shown = repr(rows)
        assert len(rows) == 2
        assert not any(uid in shown for uid in ("1.2.826.77", ONE.sop_instance_uid, TWO.sop_instance_uid))

    def test_wrong_key_opens_nothing(self, commitments, engine):
        uid = commitments.begin("PACS", [ONE])
        with pytest.raises(StorageFailure, match="master key"):
            SqlCommitments(engine, SetClock(), b"x" * 32).outcome(uid)

    def test_what_ended_long_ago_expires(self, commitments, now):
        ended = commitments.begin("PACS", [ONE])
        commitments.refused(ended, "no")
        pending = commitments.begin("PACS", [ONE])
        assert commitments.expire(now) == 1
        assert commitments.outcome(pending).state is CommitmentState.PENDING
        with pytest.raises(NotFound):
            commitments.outcome(ended)

    def test_instances_are_known_before_and_after_their_purge(self, engine):
        index = SqlStudyIndex(engine, SetClock())
        slot = index.open_slot("2.25.1")
        for number in (1, 2):
            index.register(instance(slot, number))
        lookup = SqlInstanceLookup(engine)
        uids = ["2.25.1.1.1", "2.25.1.1.2", "2.25.1.1.3"]
        assert lookup.sop_classes(uids) == dict.fromkeys(uids[:2], (MRImageStorage, True))
        index.begin_purge(slot.study_id, 1)
        assert lookup.sop_classes(uids) == dict.fromkeys(uids[:2], (MRImageStorage, False))
        assert lookup.sop_classes([]) == {}
