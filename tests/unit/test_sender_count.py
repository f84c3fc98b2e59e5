"""Completion by the sender's own count, over the real index."""

import io
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from dimse_objects import make_instance, part10
from index_samples import instance

from dicom_node.domain.errors import ArchiveFailed
from dicom_node.domain.study import Completion, StudyState
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline.complete import CompletionMonitor
from dicom_node.pipeline.sender_count import CountedSenders

ORIGINAL = "1.2.840.99"


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time


class Node:
    """A monitor over an index, and a sender that counts.

    `counts` are the sender's answers in turn, the last one for ever; an exception is raised.
    """

    def __init__(self, folder, **options):
        self.clock = Clock()
        self.database = open_database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        self.index = SqlStudyIndex(self.database, self.clock)
        self.counts = [None]
        self.asked = []
        self.started = []
        self.held = False
        self.answering = threading.Event()
        self.answering.set()
        settings = {"max_wait_s": 600.0, **options}
        self.senders = CountedSenders(
            SqlArrivals(self.database), self.clock, {"dimse:SENDER": self.count}, self.open, **settings
        )
        self.monitor = CompletionMonitor(
            self.index,
            self.clock,
            lambda *study: self.started.append(study),
            quiet_s=10,
            held=lambda _study: self.held,
            counts=self.senders,
        )
        self.slot = self.index.open_slot("2.25.1")

    def count(self, study_instance_uid):
        assert self.answering.wait(20)
        self.asked.append(study_instance_uid)
        answer = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open(self, ref):
        assert ref.startswith("spool:")
        return io.BytesIO(part10(make_instance(StudyInstanceUID=ORIGINAL)))

    def receive(self, *numbers, slot=None):
        for number in numbers:
            self.index.register(instance(slot or self.slot, number))

    def tick(self, after_s=0.0):
        """Let time pass, look, and look again once the sender has answered."""
        self.clock.time += timedelta(seconds=after_s)
        self.monitor.tick()
        deadline = time.monotonic() + 20
        while any(a.question and not a.question.done() for a in self.senders._asked.values()):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        self.clock.time += timedelta(seconds=0.01)
        self.monitor.tick()

    @property
    def why(self):
        return self.index.study(self.slot.study_id).completed_by


@pytest.fixture
def start(tmp_path):
    running = []

    def start(**options):
        running.append(Node(tmp_path, **options))
        return running[-1]

    yield start
    for node in running:
        node.senders.close()
        node.database.dispose()


@pytest.fixture
def node(start):
    return start()


def test_study_is_complete_at_once_when_all_that_the_sender_counts_is_here(node):
    node.counts = [3]
    node.receive(1, 2, 3)
    node.tick(1)
    assert node.started == [(node.slot.study_id, 1)]
    assert node.why is Completion.COUNT
    assert node.asked == [ORIGINAL]


def test_sender_is_asked_again_after_the_last_instance_before_the_study_goes_on(node):
    node.counts = [2, 3]
    node.receive(1)
    node.tick(1)
    node.receive(2)
    node.tick(1)  # two are here, and now the sender counts three
    assert node.started == []
    node.receive(3)
    node.tick(1)
    assert node.started == [(node.slot.study_id, 1)]


def test_quiet_does_not_complete_what_the_sender_has_more_of_until_it_has_waited_long_enough(node):
    node.counts = [5]
    node.receive(1, 2)
    node.tick(1)
    node.tick(60)
    assert node.started == []
    node.tick(500)
    assert node.started == []
    node.tick(60)
    assert node.started == [(node.slot.study_id, 1)]
    assert node.why is Completion.QUIET


def test_sender_is_asked_again_in_growing_pauses(node):
    node.counts = [5]
    node.receive(1)
    for _ in range(60):
        node.tick(1)
    assert 4 <= len(node.asked) <= 7


@pytest.mark.parametrize("answer", [None, 0, ArchiveFailed("no answer"), KeyError("SECRET")])
def test_quiet_decides_where_the_sender_does_not_count(node, answer, capsys):
    node.counts = [answer]
    node.receive(1)
    node.tick(1)
    assert node.started == []
    node.tick(10)
    assert node.started == [(node.slot.study_id, 1)]
    assert node.why is Completion.QUIET
    assert "SECRET" not in capsys.readouterr().out


def test_quiet_waits_for_an_answer_that_is_on_its_way(node):
    node.counts = [2]
    node.receive(1)
    node.answering.clear()
    node.monitor.tick()
    node.clock.time += timedelta(seconds=20)
    node.monitor.tick()
    assert node.started == []
    node.answering.set()
    node.tick()
    assert node.started == []
    node.receive(2)
    node.tick(1)
    assert node.started == [(node.slot.study_id, 1)]


def test_sender_that_fell_silent_after_it_counted_is_waited_for(node):
    node.counts = [5, ArchiveFailed("no answer")]
    node.receive(1)
    node.tick(1)
    node.tick(30)
    assert len(node.asked) > 1
    assert node.started == []


def test_sender_that_is_not_asked_for_counts_leaves_it_to_quiet(start):
    node = start()
    node.senders._counters = {"dimse:ANOTHER": node.count}
    node.receive(1)
    node.tick(1)
    node.tick(10)
    assert node.started == [(node.slot.study_id, 1)]
    assert node.asked == []


def test_study_that_is_being_fetched_is_left_to_the_pull(node):
    node.counts = [1]
    node.held = True
    node.receive(1)
    node.tick(1)
    node.tick(30)
    assert node.started == []


def test_late_instance_after_a_purge_does_not_wait_for_what_was_purged(node):
    node.counts = [2]
    node.receive(1, 2)
    node.tick(1)
    node.index.finish(node.slot.study_id, 1, StudyState.DONE, None)
    node.index.begin_purge(node.slot.study_id, 1)
    node.counts = [3]
    node.receive(3, slot=node.index.open_slot("2.25.1"))
    node.tick(1)
    assert node.started == [(node.slot.study_id, 1)]
    node.tick(10)
    assert node.started == [(node.slot.study_id, 1), (node.slot.study_id, 2)]
    assert node.why is Completion.QUIET


def test_study_that_is_sent_again_after_a_purge_is_not_complete_with_its_first_instance(node):
    node.counts = [2]
    node.receive(1, 2)
    node.tick(1)
    node.index.finish(node.slot.study_id, 1, StudyState.DONE, None)
    node.index.begin_purge(node.slot.study_id, 1)
    again = node.index.open_slot("2.25.1")
    node.receive(1, slot=again)
    node.tick(1)
    assert len(node.started) == 1
    node.receive(2, slot=again)
    node.tick(1)
    assert len(node.started) == 2
    assert node.why is Completion.COUNT
