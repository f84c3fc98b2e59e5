"""What a `ports.PullStore` and `ports.Arrivals` must do. Modules that subclass give the fixture `engine`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from index_samples import STUDY, SetClock, instance
from sqlalchemy import text

from dicom_node.domain.errors import NotFound, StorageFailure
from dicom_node.domain.pull import Pull, PullState, PullWork, StudyQuery
from dicom_node.domain.study import Completion, Sender, StudyState
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.index.pulls import SqlPulls
from dicom_node.index.studies import SqlStudyIndex

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOON = NOW + timedelta(seconds=8)
LATER = NOW + timedelta(seconds=9)
WORK = PullWork(
    StudyQuery(accession_number="SECRET-77", since=date(2026, 1, 1), modality="MR"),
    {"1.2.840.77": "study-1"},
)


def pull(number=1, **more):
    at = NOW + timedelta(seconds=number)
    return Pull(f"pull-{number}", "pacs", PullState.QUEUED, at, at, **more)


@pytest.fixture
def pulls(engine):
    return SqlPulls(engine, bytes(32))


@pytest.fixture
def arrivals(engine):
    return SqlArrivals(engine)


def sealed(engine):
    with engine.connect() as connection:
        return [row.sealed for row in connection.execute(text("SELECT sealed FROM pulls"))]


def claimed(pulls, number=1, owner="a"):
    pulls.add(pull(number), WORK)
    return pulls.claim(owner, NOW, SOON)


class PullsContract:
    def test_pull_and_what_it_asks_for_come_back(self, pulls):
        pulls.add(pull(), WORK)
        assert pulls.get("pull-1") == pull()
        assert pulls.work("pull-1") == WORK

    def test_what_is_asked_for_is_sealed_and_goes_at_the_end(self, pulls, engine):
        claimed(pulls)
        (before,) = sealed(engine)
        assert b"SECRET" not in before
        assert b"1.2.840.77" not in before
        ended = replace(pull(), state=PullState.DONE, expected=3, received=3, study_ids=("a", "b"))
        assert pulls.update("a", ended)
        assert sealed(engine) == [None]
        assert pulls.get("pull-1") == ended
        with pytest.raises(NotFound):
            pulls.work("pull-1")

    def test_progress_keeps_what_is_asked_for(self, pulls):
        running = claimed(pulls)
        pulls.update("a", replace(running, received=5))
        assert pulls.work("pull-1") == WORK
        changed = replace(WORK, complete={})
        pulls.update("a", running, changed)
        assert pulls.work("pull-1") == changed

    def test_another_key_does_not_open_it(self, pulls, engine):
        pulls.add(pull(), WORK)
        with pytest.raises(StorageFailure, match="master key"):
            SqlPulls(engine, bytes(31) + b"\1").work("pull-1")

    def test_newest_come_first(self, pulls):
        for number in (1, 2, 3):
            pulls.add(pull(number), WORK)
        assert [found.id for found in pulls.newest(2)] == ["pull-3", "pull-2"]

    def test_unknown_pull_is_not_found(self, pulls):
        with pytest.raises(NotFound):
            pulls.get("pull-9")

    def test_oldest_that_nobody_fetches_is_claimed_and_ended_ones_are_not(self, pulls):
        for number in (2, 1, 3):
            pulls.add(pull(number), WORK)
        assert pulls.claim("a", NOW, SOON) == replace(pull(1), state=PullState.RUNNING)
        assert pulls.update("a", replace(pull(1), state=PullState.FAILED, reason="x"))
        assert pulls.claim("b", NOW, SOON).id == "pull-2"
        assert pulls.claim("a", NOW, SOON).id == "pull-3"
        assert pulls.claim("a", NOW, SOON) is None
        assert pulls.claim("c", LATER, LATER + timedelta(seconds=8)).id == "pull-2"

    def test_of_eight_claims_at_once_one_gets_each_pull(self, pulls):
        for number in range(3):
            pulls.add(pull(number), WORK)
        start = threading.Barrier(8)

        def claim(owner):
            start.wait()
            return [pulls.claim(str(owner), NOW, SOON) for _ in range(3)]

        with ThreadPoolExecutor(8) as threads:
            found = [one.id for many in threads.map(claim, range(8)) for one in many if one is not None]
        assert sorted(found) == ["pull-0", "pull-1", "pull-2"]

    def test_claim_that_is_renewed_holds_and_one_that_lapsed_is_lost(self, pulls):
        claimed(pulls)
        assert pulls.renew("a", LATER + timedelta(seconds=8)) == {"pull-1": False}
        assert pulls.claim("b", LATER, LATER + timedelta(seconds=8)) is None
        after = LATER + timedelta(seconds=20)
        taken = pulls.claim("b", after, after + timedelta(seconds=8))
        assert taken.id == "pull-1"
        assert pulls.renew("a", after) == {}
        assert not pulls.update("a", replace(taken, received=99), WORK)
        assert pulls.get("pull-1").received == 0

    def test_what_is_let_go_is_claimed_at_once(self, pulls):
        claimed(pulls)
        pulls.let_go("a")
        assert pulls.claim("b", NOW, SOON).id == "pull-1"

    def test_pull_that_nobody_fetches_is_cancelled_here_and_another_by_who_does(self, pulls, engine):
        pulls.add(pull(2), WORK)
        assert pulls.cancel("pull-2", NOW) is True
        assert pulls.get("pull-2").state is PullState.CANCELLED
        assert sealed(engine) == [None]
        assert pulls.cancel("pull-2", NOW) is False
        claimed(pulls)
        assert pulls.cancel("pull-1", NOW) is False
        assert pulls.get("pull-1").state is PullState.RUNNING
        assert pulls.renew("a", SOON) == {"pull-1": True}
        assert pulls.cancel("pull-1", LATER) is True  # whoever fetched it has died

    def test_study_is_held_while_it_is_fetched(self, pulls, engine):
        study_id = SqlStudyIndex(engine, SetClock()).open_slot(STUDY).study_id
        claimed(pulls)
        assert not pulls.is_fetching(study_id, NOW)
        pulls.set_fetching("b", "pull-1", STUDY)
        assert not pulls.is_fetching(study_id, NOW)
        pulls.set_fetching("a", "pull-1", STUDY)
        assert pulls.is_fetching(study_id, NOW)
        assert not pulls.is_fetching("another", NOW)
        assert not pulls.is_fetching(study_id, LATER)
        pulls.update("a", replace(pull(), state=PullState.DONE))
        assert not pulls.is_fetching(study_id, NOW)


class ArrivalsContract:
    @pytest.fixture
    def index(self, engine):
        return SqlStudyIndex(engine, SetClock())

    def test_receiving_studies_are_seen_with_who_sends_them(self, index, arrivals):
        slot = index.open_slot(STUDY)
        assert arrivals.receiving() == []
        index.register(instance(slot, 1))
        index.register(replace(instance(slot, 2), source="pull:pacs", spool_ref="spool:2"))
        index.register(instance(slot, 3))
        (study,) = arrivals.receiving()
        assert (study.id, study.version, study.received_instances) == (slot.study_id, 1, 3)
        assert study.last_received_at == index.study(slot.study_id).last_received_at
        assert arrivals.senders(slot.study_id) == [
            Sender("dimse:SENDER", instance(slot, 1).spool_ref),
            Sender("pull:pacs", "spool:2"),
        ]
        index.begin_processing(slot.study_id)
        assert arrivals.receiving() == []

    def test_present_is_what_is_not_purged(self, index, arrivals):
        slot = index.open_slot(STUDY)
        other = index.open_slot("2.25.9")
        index.register(instance(slot, 1))
        index.register(instance(other, 5, study="2.25.9"))
        assert arrivals.present(STUDY) == {f"{STUDY}.1.1": slot.study_id}
        assert arrivals.count_present(slot.study_id) == 1
        index.begin_processing(slot.study_id)
        index.begin_purge(slot.study_id, 1)
        assert arrivals.present(STUDY) == {}
        assert arrivals.count_present(slot.study_id) == 0
        assert arrivals.senders(slot.study_id) == []

    def test_why_a_study_was_complete_is_kept_until_more_comes(self, index):
        slot = index.open_slot(STUDY)
        index.register(instance(slot, 1))
        assert index.study(slot.study_id).completed_by is None
        index.begin_processing(slot.study_id, Completion.COUNT)
        assert index.study(slot.study_id).completed_by is Completion.COUNT
        index.finish(slot.study_id, 1, StudyState.DONE, None)
        assert index.study(slot.study_id).completed_by is Completion.COUNT
        index.register(instance(slot, 2))
        assert index.study(slot.study_id).completed_by is None
