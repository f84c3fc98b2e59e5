"""Pulls over fakes: an archive, a receiver and an index in memory."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from pull_world import STUDY, World

from dicom_node.app.adapters import SystemClock
from dicom_node.domain.errors import (
    ArchiveFailed,
    ArchiveRefused,
    InvalidInstance,
    NotFound,
    OutOfResources,
    StorageFailure,
    UnsupportedSopClass,
)
from dicom_node.domain.pull import PULL_ENDED, Pull, PullState, PullWork, StudyQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.pipeline.pull import PullService


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def started(world: World) -> Iterator[PullService]:
    service = world.service()
    service.start()
    yield service
    service.stop()


def ended(service: PullService, pull_id: str) -> Pull:
    deadline = time.monotonic() + 20
    while (pull := service.state(pull_id)).state not in PULL_ENDED:
        assert time.monotonic() < deadline, pull
        time.sleep(0.005)
    return pull


def test_study_is_fetched_and_complete_at_once(world: World, started: PullService) -> None:
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.expected, pull.received, pull.failed) == (PullState.DONE, 3, 3, 0)
    assert pull.study_ids == (f"study-{STUDY}",)
    assert world.completed == [f"study-{STUDY}"]


def test_all_studies_that_match_are_fetched_each_complete_by_itself(
    world: World, started: PullService
) -> None:
    world.studies["1.2.840.7"] = ["8"]
    pull = ended(started, started.request_query("pacs", StudyQuery(patient_id="P")))
    assert (pull.expected, pull.received) == (4, 4)
    assert world.completed == [f"study-{STUDY}", "study-1.2.840.7"]


def test_what_is_here_already_is_not_fetched_again(world: World, started: PullService) -> None:
    world.spool["pseudo-2"] = f"study-{STUDY}"
    pull = ended(started, started.request("pacs", STUDY))
    assert world.received == ["1", "3"]
    assert (pull.state, pull.received) == (PullState.DONE, 3)


def test_what_another_process_received_counts_as_arrived(world: World, started: PullService) -> None:
    world.sent_elsewhere = {"1", "2", "3"}
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.received, world.received) == (PullState.DONE, 3, [])
    assert world.completed == [f"study-{STUDY}"]


def test_archive_that_only_counts_is_believed(world: World, started: PullService) -> None:
    world.lists = False
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.expected, pull.received) == (PullState.DONE, 3, 3)
    world.studies["1.2.840.7"] = ["8", "9"]
    world.withheld = {"9"}
    pull = ended(started, started.request("pacs", "1.2.840.7"))
    assert (pull.state, pull.received, pull.failed) == (PullState.FAILED, 1, 1)
    assert world.completed == [f"study-{STUDY}"]


def test_pull_that_another_process_took_over_is_left_to_it(world: World, started: PullService) -> None:
    def before(uid: str) -> None:
        if uid == "2":
            world.store.owners = dict.fromkeys(world.store.owners, "another")
            started._workers.renew()

    world.before = before
    pull_id = started.request("pacs", STUDY)
    deadline = time.monotonic() + 20
    while started._workers.progress() or not world.received:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert world.store.get(pull_id).state is PullState.RUNNING
    assert world.received == ["1", "2"]
    assert world.completed == []


def test_pull_that_is_cancelled_in_another_process_ends(world: World, started: PullService) -> None:
    def before(uid: str) -> None:
        if uid == "2":
            assert world.store.cancel("given", SystemClock().now()) is False
            started._workers.renew()

    given = Pull("given", "pacs", PullState.QUEUED, SystemClock().now(), SystemClock().now())
    world.before = before
    world.store.add(given, PullWork(StudyQuery(study_instance_uid=STUDY)))
    started._workers.notify()
    assert ended(started, "given").state is PullState.CANCELLED


def test_instances_that_do_not_come_fail_the_pull_and_leave_the_study_to_the_quiet_time(
    world: World, started: PullService
) -> None:
    world.withheld = {"2"}
    world.end = ArchiveRefused("pacs: answered 404")
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.received, pull.failed) == (PullState.FAILED, 2, 1)
    assert pull.reason is not None
    assert "pacs: answered 404" in pull.reason
    assert world.completed == []


def test_instance_that_is_refused_by_the_node_is_not_asked_for_again(
    world: World, started: PullService
) -> None:
    world.errors["1"] = [UnsupportedSopClass("not stored here")]
    pull = ended(started, started.request("pacs", STUDY))
    assert world.received == ["2", "3"]
    assert pull.reason == "1 instances did not arrive: not stored here"


def test_instance_that_could_not_be_stored_for_a_moment_is_asked_for_again(
    world: World, started: PullService
) -> None:
    world.errors["1"] = [StorageFailure("the index does not answer")]
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.received) == (PullState.DONE, 3)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ArchiveFailed("pacs: no answer"), "pacs: no answer"), (KeyError("SECRET"), "KeyError")],
)
def test_archive_that_cannot_be_asked_fails_the_pull(
    world: World, started: PullService, error: Exception, reason: str
) -> None:
    def find(_query: StudyQuery) -> list[str]:
        raise error

    world.find = find  # type: ignore[method-assign]
    pull = ended(started, started.request("pacs", STUDY))
    assert pull.state is PullState.FAILED
    assert pull.reason is not None
    assert reason in pull.reason
    assert "SECRET" not in pull.reason


def test_full_disk_ends_the_pull(world: World, started: PullService) -> None:
    world.errors["2"] = [OutOfResources("free disk space")]
    pull = ended(started, started.request("pacs", STUDY))
    assert (pull.state, pull.reason) == (PullState.FAILED, "free disk space")


def test_study_that_the_archive_does_not_have_is_said_so(world: World, started: PullService) -> None:
    pull = ended(started, started.request("pacs", "1.2.3"))
    assert pull.state is PullState.FAILED
    assert pull.reason == "the archive holds no study that was asked for"


@pytest.mark.parametrize(
    "query",
    [
        StudyQuery(),
        StudyQuery(study_instance_uid="../1"),
        StudyQuery(study_instance_uid="1" * 65),
        StudyQuery(patient_id="*"),
        StudyQuery(accession_number=""),
        StudyQuery(patient_id="a\nb"),
    ],
)
def test_query_that_could_mean_anything_is_refused(world: World, query: StudyQuery) -> None:
    with pytest.raises(InvalidInstance):
        world.service().request_query("pacs", query)
    assert world.store.pulls == {}


def test_unknown_source_is_refused_with_the_known_ones(world: World) -> None:
    with pytest.raises(NotFound, match="pacs"):
        world.service().request("elsewhere", STUDY)


def test_cancelled_pull_stops_after_the_instance_under_way(world: World, started: PullService) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def before(uid: str) -> None:
        if uid == "2":
            reached.set()
            assert go_on.wait(20)

    world.before = before
    pull_id = started.request("pacs", STUDY)
    assert reached.wait(20)
    assert started.holds(f"study-{STUDY}")
    started.cancel(pull_id)
    go_on.set()
    pull = ended(started, pull_id)
    assert (pull.state, pull.received) == (PullState.CANCELLED, 2)
    assert world.completed == []
    assert not started.holds(f"study-{STUDY}")


def test_waiting_pull_can_be_cancelled(world: World) -> None:
    service = world.service()
    pull_id = service.request("pacs", STUDY)
    assert service.cancel(pull_id).state is PullState.CANCELLED
    assert service.cancel(pull_id).state is PullState.CANCELLED
    service.start()
    service.stop()
    assert world.opened == 0


def test_interrupted_pull_goes_on_at_the_next_start(world: World) -> None:
    first = world.service()
    reached = threading.Event()
    stopping = threading.Thread(target=first.stop)

    def before(uid: str) -> None:
        if uid == "2":
            reached.set()
            time.sleep(0.2)

    world.before = before
    pull_id = first.request("pacs", STUDY)
    first.start()
    assert reached.wait(20)
    stopping.start()
    stopping.join()
    assert world.store.get(pull_id).state is PullState.RUNNING
    world.before = lambda _uid: None
    second = world.service()
    second.start()
    pull = ended(second, pull_id)
    second.stop()
    assert (pull.state, pull.received) == (PullState.DONE, 3)
    assert sorted(world.received) == ["1", "2", "3"]


def test_study_that_was_complete_before_a_restart_is_completed_and_not_fetched_again(world: World) -> None:
    world.studies["1.2.840.7"] = ["8"]
    service = world.service()
    pull_id = service.request_query("pacs", StudyQuery(patient_id="P"))
    work = world.store.work(pull_id)
    world.store.works[pull_id] = PullWork(work.query, {STUDY: f"study-{STUDY}"})  # purged since
    service.start()
    pull = ended(service, pull_id)
    service.stop()
    assert world.received == ["8"]
    assert world.completed == [f"study-{STUDY}", "study-1.2.840.7"]
    assert pull.state is PullState.DONE


def test_audit_holds_ids_and_counts_only(world: World, started: PullService) -> None:
    pull = ended(started, started.request("pacs", STUDY))
    assert world.audited[0] == ("pull.requested", {"pull_id": pull.id, "source": "pacs"})
    event, fields = world.audited[1]
    assert (event, fields["state"], fields["received"]) == ("pull.ended", "done", 3)
    assert STUDY not in str(world.audited)
