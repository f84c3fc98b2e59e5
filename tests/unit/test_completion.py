"""Completion by quiet time, over the real index."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from dicom_node.domain.errors import StorageFailure
from dicom_node.domain.instance import SourceInstance
from dicom_node.domain.study import StudyState
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline.complete import CompletionMonitor
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.senders import OpenSenders


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def index(tmp_path, clock):
    database = open_database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(database)
    yield SqlStudyIndex(database, clock)
    database.dispose()


@pytest.fixture
def started():
    return []


@pytest.fixture
def monitor(index, clock, started):
    return CompletionMonitor(index, clock, lambda *study: started.append(study), quiet_s=10)


def _receive(index, number, study="2.25.1"):
    slot = index.open_slot(study)
    index.register(
        SourceInstance(
            study_id=slot.study_id,
            epoch=slot.epoch,
            study_instance_uid=study,
            series_instance_uid=f"{study}.1",
            sop_instance_uid=f"{study}.1.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            modality="MR",
            size=10,
            sha256=f"{number:064}",
            source="test",
            spool_ref=f"spool:{number}",
        )
    )
    return slot.study_id


def test_study_is_taken_after_its_quiet_time_and_not_before(index, clock, monitor, started):
    study_id = _receive(index, 1)
    clock.time += timedelta(seconds=6)
    _receive(index, 2)
    clock.time += timedelta(seconds=9)
    assert monitor.tick() == 0
    clock.time += timedelta(seconds=2)
    assert monitor.tick() == 1
    assert started == [(study_id, 1)]
    assert monitor.tick() == 0


def test_quiet_study_whose_sender_is_connected_is_taken_when_it_has_gone_or_at_the_latest_time(
    index, clock, started
):
    senders = OpenSenders()
    monitor = CompletionMonitor(
        index, clock, lambda *study: started.append(study), quiet_s=10, brought=senders.bring, max_wait_s=60
    )
    first, second = _receive(index, 1, "2.25.1"), _receive(index, 2, "2.25.2")
    for sender, study_id in (("a", first), ("b", first), ("b", second)):
        senders.brought(sender, study_id)
    clock.time += timedelta(seconds=11)
    assert monitor.tick() == 0
    senders.gone("b")
    assert monitor.tick() == 1
    assert started == [(second, 1)]
    clock.time += timedelta(seconds=48)
    assert monitor.tick() == 0
    clock.time += timedelta(seconds=2)
    assert monitor.tick() == 1
    assert started == [(second, 1), (first, 1)]


def test_study_left_in_processing_by_a_crash_is_started_again(index, monitor, started):
    study_id = _receive(index, 1)
    index.begin_processing(study_id)
    assert monitor.resume() == 1
    assert started == [(study_id, 1)]


def test_explicit_completion_takes_a_receiving_study_once(index, monitor, started):
    study_id = _receive(index, 1)
    assert monitor.complete(study_id) is True
    assert monitor.complete(study_id) is False
    assert started == [(study_id, 1)]


def test_late_instance_is_taken_into_the_next_version(index, clock, monitor, started):
    study_id = _receive(index, 1)
    monitor.complete(study_id)
    _receive(index, 2)
    index.finish(study_id, 1, StudyState.DONE, None)
    clock.time += timedelta(seconds=11)
    assert monitor.tick() == 1
    assert started == [(study_id, 1), (study_id, 2)]


def test_polling_goes_on_after_a_failed_look():
    looks = []
    enough = threading.Event()

    def look():
        looks.append(1)
        if len(looks) == 1:
            raise StorageFailure("the index did not answer")
        if len(looks) == 2:
            raise KeyError("CANARY")
        enough.set()

    polling = PollingThread("test", look, every_s=0.01)
    polling.start()
    assert enough.wait(10)
    polling.stop()
