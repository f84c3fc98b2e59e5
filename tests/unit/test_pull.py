"""Pulls over fakes: an archive, a receiver and an index in memory."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

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
from dicom_node.domain.pull import PULL_ENDED, ArchivedInstance, Pull, PullState, PullWork, StudyQuery
from dicom_node.pipeline.pull import PullService
from dicom_node.pipeline.pull_study import PullPorts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from dicom_node.ports.archive import Intake

STUDY = "1.2.840.5"


class MemoryPulls:
    """`ports.PullStore` in memory."""

    def __init__(self) -> None:
        self.pulls: dict[str, Pull] = {}
        self.works: dict[str, PullWork] = {}
        self.owners: dict[str, str] = {}
        self.asked_to_end: set[str] = set()
        self.fetching: dict[str, str | None] = {}

    def add(self, pull: Pull, work: PullWork) -> None:
        self.pulls[pull.id], self.works[pull.id] = pull, work

    def claim(self, owner: str, now: datetime, until: datetime) -> Pull | None:
        for pull in self.pulls.values():
            if pull.state not in PULL_ENDED and self.owners.setdefault(pull.id, owner) == owner:
                if pull.state is PullState.QUEUED or pull.id not in self.fetching:
                    self.fetching[pull.id] = None
                    self.pulls[pull.id] = replace(pull, state=PullState.RUNNING)
                    return self.pulls[pull.id]
        return None

    def renew(self, owner: str, until: datetime) -> dict[str, bool]:
        return {key: key in self.asked_to_end for key, value in self.owners.items() if value == owner}

    def let_go(self, owner: str) -> None:
        for key in [key for key, value in self.owners.items() if value == owner]:
            del self.owners[key]
            self.fetching.pop(key, None)

    def update(self, owner: str, pull: Pull, work: PullWork | None = None) -> bool:
        if self.owners.get(pull.id) != owner:
            return False
        self.pulls[pull.id] = pull
        if pull.state in PULL_ENDED:
            self.fetching[pull.id] = None
        if work is not None:
            self.works[pull.id] = work
        return True

    def set_fetching(self, owner: str, pull_id: str, study_instance_uid: str | None) -> None:
        self.fetching[pull_id] = study_instance_uid

    def is_fetching(self, study_id: str, now: datetime) -> bool:
        return study_id.replace("study-", "pseudo-") in self.fetching.values()

    def cancel(self, pull_id: str, now: datetime) -> bool:
        pull = self.get(pull_id)
        if pull.state in PULL_ENDED:
            return False
        if pull_id in self.owners:
            self.asked_to_end.add(pull_id)
            return False
        self.pulls[pull_id] = replace(pull, state=PullState.CANCELLED)
        return True

    def work(self, pull_id: str) -> PullWork:
        return self.works[pull_id]

    def get(self, pull_id: str) -> Pull:
        if pull_id not in self.pulls:
            raise NotFound("unknown")
        return self.pulls[pull_id]

    def newest(self, limit: int) -> list[Pull]:
        return list(self.pulls.values())[::-1][:limit]


@dataclass
class World:
    """Everything around the service.

    `withheld` never comes, `sent_elsewhere` comes through another process, and the archive `lists` its
    instances or only counts them; `errors` are raised by the receiver, by UID, each once; `before` is called
    before each instance is given.
    """

    studies: dict[str, list[str]] = field(default_factory=lambda: {STUDY: ["1", "2", "3"]})
    withheld: set[str] = field(default_factory=set)
    sent_elsewhere: set[str] = field(default_factory=set)
    lists: bool = True
    end: Exception | None = None
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    before: Callable[[str], object] = lambda _uid: None
    spool: dict[str, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    audited: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    store: MemoryPulls = field(default_factory=MemoryPulls)
    opened: int = 0

    def service(self) -> PullService:
        world: Any = self
        return PullService(
            PullPorts(
                store=self.store,
                archives={"pacs": self.open},
                receiver=world,
                arrivals=world,
                pseudonymizer=cast("Any", SimpleNamespace(uid=lambda original: f"pseudo-{original}")),
                clock=SystemClock(),
                complete=self.complete,
            ),
            world,
        )

    def open(self, wait: Callable[[float], object]) -> Any:
        self.opened += 1
        return SimpleNamespace(
            name="pacs",
            find_studies=self.find,
            instances=self.instances,
            count=self.count,
            retrieve=self.retrieve,
        )

    def complete(self, study_id: str) -> None:
        self.completed.append(study_id)

    def find(self, query: StudyQuery) -> list[str]:
        return [uid for uid in self.studies if query.study_instance_uid in (None, uid)]

    def instances(self, study: str) -> list[ArchivedInstance]:
        if not self.lists:
            return []
        return [ArchivedInstance(study, "1.2.840.6", uid) for uid in self.studies[study]]

    def count(self, study: str) -> int | None:
        return len(self.studies[study])

    def retrieve(self, study: str, wanted: Any, intake: Intake) -> None:
        for _ in range(2):
            uids = [item.sop_instance_uid for item in intake.missing()] if wanted else self.studies[study]
            for uid in uids:
                if uid in self.sent_elsewhere:
                    self.spool[f"pseudo-{uid}"] = f"study-{study}"
                    intake.look()
                elif uid not in self.withheld:
                    self.before(uid)
                    intake.take(uid, io.BytesIO(uid.encode()))
                    intake.check()
        if self.end is not None:
            raise self.end

    def receive(self, incoming: Any) -> Any:
        assert incoming.source == "pull:pacs"
        uid = incoming.stream.read().decode()
        for error in [self.errors[uid].pop(0)] if self.errors.get(uid) else []:
            raise error
        self.received.append(uid)
        study_id = "study-" + next(s for s, uids in self.studies.items() if uid in uids)
        self.spool[f"pseudo-{uid}"] = study_id
        return SimpleNamespace(study_id=study_id, sop_instance_uid=f"pseudo-{uid}")

    def present(self, study_instance_uid: str) -> dict[str, str]:
        study_id = study_instance_uid.replace("pseudo-", "study-")
        return {uid: of for uid, of in self.spool.items() if of == study_id}

    def record(self, event: str, **fields: Any) -> None:
        self.audited.append((event, fields))


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
