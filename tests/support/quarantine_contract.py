"""What every `ports.Quarantine` over a database must do. Subclasses' modules give the fixture `engine`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from index_samples import instance

from dicom_node.domain.deidentification import CodedOption, DeidentificationReport, RedactedBox
from dicom_node.domain.errors import NotFound, Quarantined, SlotExpired, TransientError
from dicom_node.domain.quarantine import Decision, QuarantinedInstance, QuarantineState
from dicom_node.domain.study import Slot, Stage, StudyState
from dicom_node.index.quarantine import SqlQuarantine

HELD, RELEASED, DELETED = QuarantineState.HELD, QuarantineState.RELEASED, QuarantineState.DELETED
VOUCHED = Decision("local", "nothing-identifies")
DROPPED = Decision("local", "identity-visible")


@pytest.fixture
def quarantine(engine, clock):
    return SqlQuarantine(engine, clock)


@pytest.fixture
def source(index, slot):
    """An instance of a study that ended quarantined."""
    taken = instance(slot, 1)
    index.register(taken)
    index.begin_processing(slot.study_id)
    index.finish(slot.study_id, 1, StudyState.QUARANTINED, "kept back")
    return taken


@pytest.fixture
def item(quarantine, source):
    quarantine.hold(kept_back(source))
    return quarantine.get("q1")


def kept_back(source, item_id="q1", **changes):
    values = {
        "id": item_id,
        "study_id": source.study_id,
        "epoch": source.epoch,
        "version": 1,
        "sop_instance_uid": source.sop_instance_uid,
        "sop_class_uid": source.sop_class_uid,
        "modality": source.modality,
        "size": source.size,
        "sha256": source.sha256,
        "rule": "burned-in-annotation",
        "vouchable": True,
        "reason": "burned-in-annotation: look at it",
        "ref": f"quarantine:{item_id}/0/original.dcm",
    }
    return QuarantinedInstance(**values | changes)


class QuarantineContract:
    def test_what_is_held_is_found_by_id_by_content_and_in_the_list(self, quarantine, item, source):
        assert (item.state, item.rule, item.releasable, item.decided_at) == (
            HELD,
            "burned-in-annotation",
            True,
            None,
        )
        assert item.created_at is not None
        assert quarantine.held(source.study_id, source.sop_instance_uid, source.sha256) == item
        assert quarantine.held(source.study_id, source.sop_instance_uid, "b" * 64) is None
        assert quarantine.page(study_id=source.study_id, state=HELD) == ([item], None)
        assert quarantine.page(state=DELETED) == ([], None)
        assert quarantine.count_held([source.study_id, "other"]) == {source.study_id: 1}

    def test_held_again_it_stays_the_same_one_with_the_newest_reason(self, quarantine, item, source):
        again = kept_back(source, rule="screen-capture", version=2, vouchable=False)
        quarantine.hold(again)
        now = quarantine.get("q1")
        assert (now.rule, now.version, now.releasable) == ("screen-capture", 2, False)
        assert now.created_at == item.created_at
        assert quarantine.count_held([source.study_id]) == {source.study_id: 1}

    def test_pages_are_newest_first_and_hold_each_once(self, quarantine, index, slot):
        for number in range(5):
            taken = instance(slot, number)
            index.register(taken)
            quarantine.hold(kept_back(taken, f"q{number}"))
        seen, cursor = [], None
        while True:
            page, cursor = quarantine.page(limit=2, cursor=cursor)
            seen += [found.id for found in page]
            if cursor is None:
                break
        assert seen == ["q4", "q3", "q2", "q1", "q0"]

    def test_foreign_cursor_and_unknown_id_are_refused(self, quarantine, source):
        calls = (
            lambda: quarantine.page(cursor="x"),
            lambda: quarantine.get("x"),
            lambda: quarantine.source("x"),
            lambda: quarantine.release("x", source, VOUCHED),
            lambda: quarantine.delete("x", DROPPED),
        )
        for call in calls:
            with pytest.raises(NotFound):
                call()

    def test_release_vouches_and_opens_the_next_version(self, quarantine, index, item, source):
        late = replace(quarantine.source("q1"), spool_ref="spool:again")
        released = quarantine.release("q1", late, VOUCHED)
        assert (released.state, released.decided_by, released.decision) == (
            RELEASED,
            "local",
            "nothing-identifies",
        )
        assert released.decided_at > item.created_at
        study = index.study(source.study_id)
        assert (study.state, study.version, study.received_instances) == (StudyState.RECEIVING, 2, 1)
        (taken,) = index.sources(source.study_id, 2)
        assert (taken.spool_ref, taken.version, taken.sha256) == ("spool:again", 2, source.sha256)
        key = (source.sop_instance_uid, source.sha256)
        assert quarantine.vouched(source.study_id) == {key: frozenset({"burned-in-annotation"})}

    def test_two_rules_are_vouched_for_one_after_the_other(self, quarantine, item, source):
        quarantine.release("q1", source, VOUCHED)
        quarantine.hold(kept_back(source, "q2", rule="screen-capture"))
        assert quarantine.count_held([source.study_id]) == {source.study_id: 1}
        quarantine.release("q2", source, VOUCHED)
        (rules,) = quarantine.vouched(source.study_id).values()
        assert rules == {"burned-in-annotation", "screen-capture"}

    def test_release_after_the_purge_takes_the_new_slot_only(self, quarantine, index, item, source, slot):
        index.begin_purge(slot.study_id, 1)
        index.purged(slot.study_id, slot)
        with pytest.raises(SlotExpired):
            quarantine.release("q1", quarantine.source("q1"), VOUCHED)
        assert quarantine.get("q1").state is HELD
        late = replace(quarantine.source("q1"), epoch=1)
        assert quarantine.release("q1", late, VOUCHED).state is RELEASED
        assert [s.epoch for s in index.sources(slot.study_id, 2)] == [1]

    def test_second_decision_changes_nothing(self, quarantine, index, item, source):
        first = quarantine.release("q1", source, VOUCHED)
        assert quarantine.release("q1", source, Decision("other", "other")) == first
        assert quarantine.delete("q1", DROPPED) == first
        assert index.study(source.study_id).version == 2

    def test_release_while_other_bytes_have_its_uid_is_refused(self, quarantine, index, item, source, slot):
        index.begin_purge(slot.study_id, 1)
        index.register(instance(Slot(slot.study_id, 1), 1, content="b"))
        with pytest.raises(Quarantined):
            quarantine.release("q1", replace(source, epoch=1), VOUCHED)
        assert quarantine.get("q1").state is HELD

    @pytest.mark.parametrize("stage", [None, Stage.DEIDENTIFY])
    def test_decision_waits_for_a_deidentification_that_is_at_work(
        self, quarantine, index, slot, stage, clock
    ):
        taken = instance(slot, 1)
        index.register(taken)
        index.begin_processing(slot.study_id)
        quarantine.hold(kept_back(taken))
        if stage:
            index.set_stage(slot.study_id, 1, stage)
        for decide in (
            lambda: quarantine.release("q1", taken, VOUCHED),
            lambda: quarantine.delete("q1", DROPPED),
        ):
            with pytest.raises(TransientError):
                decide()
        index.set_stage(slot.study_id, 1, Stage.ROUTE)
        assert quarantine.release("q1", taken, VOUCHED).state is RELEASED
        assert index.study(slot.study_id).version == 1  # the version that is worked on ends first
        assert [s.version for s in index.sources(slot.study_id, 2)] == [2]

    def test_delete_takes_the_source_from_later_stages(self, quarantine, index, item, source):
        deleted = quarantine.delete("q1", DROPPED)
        assert (deleted.state, deleted.decision, deleted.releasable) == (DELETED, "identity-visible", False)
        assert index.find_source(source.sop_instance_uid) is None
        assert index.study(source.study_id).version == 1
        assert quarantine.source("q1").spool_ref == source.spool_ref
        assert quarantine.vouched(source.study_id) == {}

    def test_deleted_bytes_that_come_again_are_held_as_another_one(self, quarantine, index, item, source):
        quarantine.delete("q1", DROPPED)
        index.register(source)
        quarantine.hold(kept_back(source, "q2", version=2))
        assert quarantine.get("q1").state is DELETED
        assert quarantine.held(source.study_id, source.sop_instance_uid, source.sha256).id == "q2"

    def test_instance_that_passed_later_is_lifted_and_vouched_for_by_nobody(self, quarantine, item, source):
        assert quarantine.lift(source.study_id, [("2.25.9", source.sha256)]) == []
        (lifted,) = quarantine.lift(source.study_id, [(source.sop_instance_uid, source.sha256)])
        assert (lifted.id, lifted.state, lifted.decided_by) == ("q1", RELEASED, "node")
        assert quarantine.vouched(source.study_id) == {}

    def test_decided_ones_are_unsettled_until_their_bytes_are_gone(self, quarantine, item):
        assert quarantine.unsettled() == []
        quarantine.settle("q1")  # still held: its bytes must stay known
        assert quarantine.get("q1").ref
        quarantine.delete("q1", DROPPED)
        assert [left.id for left in quarantine.unsettled()] == ["q1"]
        quarantine.settle("q1")
        assert quarantine.unsettled() == []
        assert quarantine.get("q1").ref == ""

    def test_one_of_eight_threads_decides(self, quarantine, index, item, source):
        start = threading.Barrier(8)

        def decide(number):
            start.wait()
            if number % 2:
                return quarantine.delete("q1", Decision(f"p{number}", "other"))
            return quarantine.release("q1", source, Decision(f"p{number}", "other"))

        with ThreadPoolExecutor(8) as threads:
            outcomes = set(threads.map(decide, range(8)))
        assert len({(o.state, o.decided_by) for o in outcomes}) == 1


class ReportContract:
    def test_report_of_a_version_is_kept_and_replaced(self, index, slot):
        assert index.deidentification(slot.study_id, 1) is None
        report = DeidentificationReport(
            profile="Basic, 2026d",
            options=(CodedOption("113100", "Basic"), CodedOption("113105", "Clean Descriptors")),
            instances=2,
            actions={"PatientName": {"Z": 2}, "StudyDate": {"X": 1, "Z": 1}},
            pixels={"redacted": 1, "unchanged": 1},
            boxes=(RedactedBox(0, 0, 100, 20, "all", "text", 1),),
            risks={"pixels-not-checked": 1},
            quarantined={"video (SOPClassUID): look at it": 1},
        )
        index.set_deidentification(slot.study_id, 1, replace(report, instances=1))
        index.set_deidentification(slot.study_id, 1, report)
        assert index.deidentification(slot.study_id, 1) == report
        assert index.deidentification(slot.study_id, 2) is None
        assert report.by_rule() == {"X": 1, "Z": 3}
