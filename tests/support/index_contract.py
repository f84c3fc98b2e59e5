"""What every `ports.StudyIndex` over a database must do. Subclasses' modules give the fixture `engine`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from index_samples import STUDY, SetClock, instance

from dicom_node.domain.delivery import Delivery, DeliveryStatus
from dicom_node.domain.destination import Closing
from dicom_node.domain.errors import NotFound, SlotExpired
from dicom_node.domain.instance import StoreOutcome
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Assignment, Reason, RoutingDecision, Run, RunStatus
from dicom_node.domain.study import Slot, Stage, StudyState
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.studies import SqlStudyIndex

DONE, RECEIVING, PROCESSING = StudyState.DONE, StudyState.RECEIVING, StudyState.PROCESSING


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def index(engine, clock):
    return SqlStudyIndex(engine, clock)


@pytest.fixture
def slot(index):
    return index.open_slot(STUDY)


class ReceivingContract:
    def test_slot_of_a_study_stays_the_same(self, index, slot):
        assert index.open_slot(STUDY) == slot
        assert index.open_slot("2.25.2").study_id != slot.study_id

    def test_opened_study_without_instances_is_never_due_nor_shown(self, index, slot, clock):
        assert index.due(clock.now()) == []
        assert index.begin_processing(slot.study_id) is None
        assert index.studies() == ([], None)
        assert sum(index.count_by_state().values()) == 0

    def test_register_counts_instances_bytes_and_modalities(self, index, slot):
        assert index.register(instance(slot, 1)) is StoreOutcome.STORED
        assert index.register(instance(slot, 2, modality="CT", size=50)) is StoreOutcome.STORED
        assert index.register(instance(slot, 3, modality=None)) is StoreOutcome.STORED
        study = index.study(slot.study_id)
        assert (study.received_instances, study.received_bytes) == (3, 250)
        assert study.modalities == ("CT", "MR")
        assert (study.state, study.version, study.stage) == (RECEIVING, 1, None)

    def test_same_bytes_are_a_duplicate_and_other_bytes_a_conflict(self, index, slot):
        index.register(instance(slot, 1))
        before = index.study(slot.study_id)
        assert index.register(instance(slot, 1)) is StoreOutcome.DUPLICATE
        assert index.register(instance(slot, 1, content="b")) is StoreOutcome.CONFLICT
        assert index.study(slot.study_id) == before
        assert index.find_source(f"{STUDY}.1.1").sha256 == "a" * 64

    def test_sources_come_ordered_with_their_version(self, index, slot):
        for number, series in ((2, 2), (10, 1), (1, 2), (2, 1)):
            index.register(instance(slot, number, series=series))
        found = [s.sop_instance_uid for s in index.sources(slot.study_id, 1)]
        assert found == [f"{STUDY}.1.10", f"{STUDY}.1.2", f"{STUDY}.2.1", f"{STUDY}.2.2"]
        assert {s.version for s in index.sources(slot.study_id, 1)} == {1}
        assert index.sources(slot.study_id, 0) == []

    def test_unknown_instance_is_not_found(self, index):
        assert index.find_source("2.25.99") is None

    def test_study_that_nobody_opened_expires_the_slot(self, index):
        with pytest.raises(SlotExpired):
            index.register(instance(Slot("0" * 32, 0), 1))

    def test_study_is_due_once_it_has_been_quiet(self, index, slot, clock):
        index.register(instance(slot, 1))
        last = index.study(slot.study_id).last_received_at
        assert index.due(last - timedelta(microseconds=1)) == []
        assert index.due(last) == [slot.study_id]

    def test_same_instance_from_eight_threads_is_stored_once(self, index, slot):
        start = threading.Barrier(8)

        def register(_):
            start.wait()
            return index.register(instance(slot, 1))

        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(register, range(8)))
        assert sorted(outcomes) == sorted([StoreOutcome.STORED] + 7 * [StoreOutcome.DUPLICATE])
        assert index.study(slot.study_id).received_instances == 1

    def test_nothing_is_lost_when_eight_threads_register_into_two_studies(self, index):
        slots = [index.open_slot("2.25.7"), index.open_slot("2.25.8")]

        def register(thread):
            slot = slots[thread % 2]
            return [
                index.register(instance(slot, 1000 * thread + n, study=f"2.25.{7 + thread % 2}"))
                for n in range(25)
            ]

        with ThreadPoolExecutor(8) as threads:
            outcomes = [o for many in threads.map(register, range(8)) for o in many]
        assert outcomes == 200 * [StoreOutcome.STORED]
        assert [index.study(s.study_id).received_instances for s in slots] == [100, 100]

    def test_two_indexes_on_one_database_store_an_instance_once(self, engine, clock):
        indexes = [SqlStudyIndex(engine, clock) for _ in range(4)]
        start = threading.Barrier(4)

        def register(index):
            start.wait()
            slot = index.open_slot(STUDY)
            return slot, [index.register(instance(slot, n)) for n in range(20)]

        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(register, indexes))
        assert len({slot for slot, _ in answers}) == 1
        for copies in zip(*(outcomes for _, outcomes in answers), strict=True):
            assert sorted(copies) == sorted([StoreOutcome.STORED] + 3 * [StoreOutcome.DUPLICATE])


class LifecycleContract:
    def test_one_of_eight_threads_begins_processing(self, index, slot):
        index.register(instance(slot, 1))
        start = threading.Barrier(8)

        def begin(_):
            start.wait()
            return index.begin_processing(slot.study_id)

        with ThreadPoolExecutor(8) as threads:
            won = [version for version in threads.map(begin, range(8)) if version is not None]
        assert won == [1]
        assert index.unfinished() == [(slot.study_id, 1)]

    def test_stage_is_shown_while_processing_only(self, index, slot):
        index.register(instance(slot, 1))
        index.set_stage(slot.study_id, 1, Stage.ROUTE)
        assert index.study(slot.study_id).stage is None
        index.begin_processing(slot.study_id)
        index.set_stage(slot.study_id, 1, Stage.ROUTE)
        assert index.study(slot.study_id).stage is Stage.ROUTE
        index.finish(slot.study_id, 1, DONE, None)
        index.set_stage(slot.study_id, 1, Stage.PURGE)
        assert index.study(slot.study_id).stage is None

    def test_finish_ends_a_version_with_its_reason(self, index, slot):
        processed(index, slot)
        index.finish(slot.study_id, 1, StudyState.REJECTED, "no route")
        study = index.study(slot.study_id)
        assert (study.state, study.reason, study.version) == (StudyState.REJECTED, "no route", 1)
        assert study.ended_at > study.last_received_at
        assert index.unfinished() == []
        assert index.count_by_state()[StudyState.REJECTED] == 1

    def test_finish_again_corrects_the_end_but_not_its_time(self, index, slot):
        processed(index, slot)
        index.finish(slot.study_id, 1, DONE, None)
        ended_at = index.study(slot.study_id).ended_at
        index.finish(slot.study_id, 1, StudyState.FAILED, "purge failed")
        study = index.study(slot.study_id)
        assert (study.state, study.reason, study.ended_at) == (StudyState.FAILED, "purge failed", ended_at)

    def test_late_instance_goes_to_the_next_version(self, index, slot):
        processed(index, slot)
        assert index.register(instance(slot, 2)) is StoreOutcome.STORED
        assert index.study(slot.study_id).state is PROCESSING
        assert [s.version for s in index.sources(slot.study_id, 1)] == [1]
        assert [s.version for s in index.sources(slot.study_id, 2)] == [1, 2]
        for _ in range(2):  # the step may run again after a crash
            index.finish(slot.study_id, 1, DONE, "old")
            study = index.study(slot.study_id)
            assert (study.state, study.version, study.reason) == (RECEIVING, 2, None)
        assert index.begin_processing(slot.study_id) == 2

    def test_instance_after_the_end_opens_the_next_version(self, index, slot):
        processed(index, slot)
        index.finish(slot.study_id, 1, DONE, "x")
        index.register(instance(slot, 2))
        study = index.study(slot.study_id)
        assert (study.state, study.version, study.ended_at, study.reason) == (RECEIVING, 2, None, None)
        index.finish(slot.study_id, 1, StudyState.FAILED, "too late")
        assert index.study(slot.study_id).state is RECEIVING

    def test_unknown_study_is_not_found(self, index):
        for call in (
            lambda: index.study("x"),
            lambda: index.finish("x", 1, DONE, None),
            lambda: index.begin_purge("x", 1),
            lambda: index.purged("x", Slot("x", 0)),
        ):
            with pytest.raises(NotFound):
                call()


class PurgeContract:
    def test_purge_opens_the_next_epoch_and_forgets_the_sources(self, index, slot):
        processed(index, slot)
        assert index.begin_purge(slot.study_id, 1) == slot
        assert index.find_source(f"{STUDY}.1.1") is None
        assert index.sources(slot.study_id, 1) == []
        assert index.study(slot.study_id).purged_at is None
        index.purged(slot.study_id, slot)
        assert index.study(slot.study_id).purged_at is not None
        assert index.open_slot(STUDY) == Slot(slot.study_id, 1)

    def test_purge_that_a_crash_interrupted_gives_the_same_slot(self, index, slot):
        processed(index, slot)
        assert [index.begin_purge(slot.study_id, 1) for _ in range(3)] == 3 * [slot]
        index.purged(slot.study_id, slot)
        first = index.study(slot.study_id).purged_at
        assert index.begin_purge(slot.study_id, 1) == slot
        index.purged(slot.study_id, slot)
        assert index.study(slot.study_id).purged_at == first
        assert index.open_slot(STUDY).epoch == 1

    def test_instance_written_to_a_purged_slot_is_refused(self, index, slot):
        processed(index, slot)
        index.begin_purge(slot.study_id, 1)
        with pytest.raises(SlotExpired):
            index.register(instance(slot, 2))
        assert index.register(instance(index.open_slot(STUDY), 2)) is StoreOutcome.STORED

    def test_late_instances_put_the_purge_off(self, index, slot):
        processed(index, slot)
        index.register(instance(slot, 2))
        assert index.begin_purge(slot.study_id, 1) is None
        index.finish(slot.study_id, 1, DONE, None)
        index.begin_processing(slot.study_id)
        assert index.begin_purge(slot.study_id, 2) == slot
        assert index.begin_purge(slot.study_id, 1) == slot  # nothing is left for it

    def test_instance_between_purge_and_its_end_keeps_the_study_unpurged(self, index, slot):
        processed(index, slot)
        index.begin_purge(slot.study_id, 1)
        index.register(instance(index.open_slot(STUDY), 2))
        index.purged(slot.study_id, slot)
        study = index.study(slot.study_id)
        assert (study.purged_at, study.epoch, study.state) == (None, 1, PROCESSING)
        assert [s.version for s in index.sources(slot.study_id, 2)] == [2]
        assert index.begin_purge(slot.study_id, 1) == slot  # not the new one's

    def test_instance_sent_again_after_the_purge_is_stored_and_counted_once(self, index, slot):
        processed(index, slot)
        index.begin_purge(slot.study_id, 1)
        index.purged(slot.study_id, slot)
        index.finish(slot.study_id, 1, DONE, None)
        again = index.open_slot(STUDY)
        assert index.register(instance(again, 1, content="b")) is StoreOutcome.STORED
        study = index.study(slot.study_id)
        assert (study.state, study.version, study.received_instances) == (RECEIVING, 2, 1)
        assert study.purged_at is None
        assert index.begin_processing(slot.study_id) == 2
        assert index.begin_purge(slot.study_id, 2) == again

    def test_slot_of_another_study_is_refused(self, index, slot):
        with pytest.raises(NotFound):
            index.purged(slot.study_id, Slot("other", 0))


class OutcomesContract:
    def test_outcomes_of_the_current_version_are_shown(self, index, slot, engine, clock):
        processed(index, slot)
        decision = RoutingDecision(
            assignments=(Assignment("m", "1", f"{STUDY}.1", "mr-brain"),),
            reasons=(Reason("m", "modality", passed=True, text="MR is MR"),),
            modalities=("MR", "SR"),
            body_part="BRAIN",
        )
        runs = (
            Run("m", "1", f"{STUDY}.1", RunStatus.DONE, None, "volume", 0.93),
            Run("n", "1", f"{STUDY}.1", RunStatus.FAILED, "broke"),
        )
        entries = (
            ResultEntry(ResultKind.SR, "1.2", f"{STUDY}.9", f"{STUDY}.9.1", 1, "results:s/1/a"),
            ResultEntry(ResultKind.SEG, "1.3", f"{STUDY}.8", f"{STUDY}.8.1", 1, "results:s/1/b"),
        )
        for _ in range(2):  # each replaces what is there
            index.set_routing(slot.study_id, 1, decision)
            index.set_runs(slot.study_id, 1, runs)
            index.set_results(slot.study_id, 1, entries)
        closing = Closing(slot.study_id, 1, DONE, None, frozenset(), clock.now())
        SqlDeliveries(engine).open(closing, {"pacs": (), "cloud": ()})
        assert index.routing(slot.study_id, 1) == decision
        assert tuple(index.results(slot.study_id, 1)) == entries
        study = index.study(slot.study_id)
        assert (study.runs, study.results, study.body_part) == (runs, entries, "BRAIN")
        assert study.modalities == ("MR", "SR")
        assert study.deliveries == (
            Delivery("cloud", DeliveryStatus.PENDING),
            Delivery("pacs", DeliveryStatus.PENDING),
        )
        assert index.studies()[0] == [study]

        index.register(instance(slot, 2))
        index.finish(slot.study_id, 1, DONE, None)
        later = index.study(slot.study_id)
        assert (later.version, later.runs, later.results, later.deliveries) == (2, (), (), ())
        assert tuple(index.results(slot.study_id, 1)) == entries

    def test_nothing_recorded_is_nothing(self, index, slot):
        assert index.routing(slot.study_id, 1) is None
        assert index.results(slot.study_id, 1) == []
        index.set_results(slot.study_id, 1, ())
        assert index.results(slot.study_id, 1) == []


class PagesContract:
    def test_pages_are_newest_first_and_hold_every_study_once(self, index):
        for number in range(7):
            uid = f"2.25.{number + 1}"
            index.register(instance(index.open_slot(uid), 1, study=uid))
        seen, cursor = [], None
        while True:
            page, cursor = index.studies(limit=3, cursor=cursor)
            seen += [study.study_instance_uid for study in page]
            if cursor is None:
                break
            if len(seen) == 3:  # one that comes in between shifts nothing
                index.register(instance(index.open_slot("2.25.100"), 1, study="2.25.100"))
        assert seen == [f"2.25.{n}" for n in range(7, 0, -1)]

    def test_studies_are_filtered_by_state_and_uid(self, index, slot):
        processed(index, slot)
        index.register(instance(index.open_slot("2.25.2"), 1, study="2.25.2"))
        assert [s.study_instance_uid for s in index.studies(state=PROCESSING)[0]] == [STUDY]
        assert [s.study_instance_uid for s in index.studies(study_instance_uid="2.25.2")[0]] == ["2.25.2"]
        assert index.studies(state=DONE) == ([], None)
        counts = index.count_by_state()
        assert set(counts) == set(StudyState)
        assert (counts[PROCESSING], counts[RECEIVING], counts[DONE]) == (1, 1, 0)

    @pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk6eA"])
    def test_foreign_cursor_is_refused(self, index, cursor):
        with pytest.raises(NotFound):
            index.studies(cursor=cursor)


def processed(index, slot):
    """One instance in, processing begun."""
    index.register(instance(slot, 1))
    assert index.begin_processing(slot.study_id) == 1
