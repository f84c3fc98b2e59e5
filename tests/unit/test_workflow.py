"""The durable engine itself, with the real DBOS on SQLite and stages that a test controls."""

import logging
import threading
import time
from types import SimpleNamespace

import pytest
from delivery_bench import Silent

from dicom_node.domain.errors import InvalidInstance, StorageFailure
from dicom_node.domain.study import Stage, StudyState
from dicom_node.pipeline import deliver_plan, plan, priority, workflow


class Recorder:
    def __init__(self):
        self.finished = {}
        self.done = threading.Event()

    def set_stage(self, study_id, version, stage):
        pass

    def finish(self, study_id, version, state, reason):
        self.finished[study_id, version] = (state, reason)
        self.done.set()


class NothingDelivered:
    """A `ports.DeliveryStore` as far as the engine looks at it."""

    def closing(self, study_id, version):
        return None


@pytest.fixture
def engine(tmp_path, monkeypatch):
    index = Recorder()
    services = SimpleNamespace(
        index=index, metrics=Silent(), audit=Silent(), announcer=Silent(), deliveries=NothingDelivered()
    )

    def end_at_once(services, study_id, version, state, reason):
        plan.finish(services, study_id, version, state, reason)

    monkeypatch.setattr(deliver_plan, "prepare", end_at_once)
    started = []

    def start(analyse, **options):
        monkeypatch.setattr(plan, "analyse", analyse)
        pipeline = workflow.Pipeline(services, database_url=f"sqlite:///{tmp_path / 'flow.db'}", **options)
        pipeline.launch()
        started.append(pipeline)
        return pipeline, index

    yield start
    for pipeline in started:
        pipeline.close()
    # The engine keeps its first handler, whose stream pytest closes after this test.
    logging.getLogger("dbos").handlers.clear()


def _stage(function):
    function.__name__ = "stage"
    return function


def test_study_version_started_twice_runs_once(engine):
    calls = []

    @_stage
    def count(services, study_id, version):
        calls.append((study_id, version))

    def analyse(run):
        run(Stage.ROUTE, count)
        return StudyState.DONE, None

    pipeline, index = engine(analyse)
    pipeline.start("s", 1)
    pipeline.start("s", 1)
    assert index.done.wait(20)
    pipeline.start("s", 1)
    time.sleep(0.3)
    assert calls == [("s", 1)]
    assert index.finished == {("s", 1): (StudyState.DONE, None)}


def test_a_stat_study_overtakes_those_that_wait(engine):
    order, first_runs, go_on, all_ran = [], threading.Event(), threading.Event(), threading.Event()

    @_stage
    def work(services, study_id, version):
        order.append(study_id)
        first_runs.set()
        assert go_on.wait(20)
        if len(order) == 4:
            all_ran.set()

    def analyse(run):
        run(Stage.ROUTE, work)
        return StudyState.DONE, None

    def priority_of(study_id, version):
        return priority.STAT if study_id == "stat" else priority.ROUTINE

    pipeline, _ = engine(analyse, compute_slots=1, priority=priority_of)
    pipeline.start("first", 1)
    assert first_runs.wait(20)
    for study_id in ("second", "third", "stat"):
        pipeline.start(study_id, 1)
    go_on.set()
    assert all_ran.wait(20)
    assert order[:2] == ["first", "stat"]
    assert sorted(order[2:]) == ["second", "third"]


def test_passing_failure_of_a_stage_is_tried_again(engine):
    calls = []

    @_stage
    def flaky(services, study_id, version):
        calls.append(1)
        if len(calls) < 3:
            raise StorageFailure("the index did not answer")

    def analyse(run):
        run(Stage.ROUTE, flaky)
        return StudyState.DONE, None

    pipeline, index = engine(analyse)
    pipeline.start("s", 1)
    assert index.done.wait(20)
    assert len(calls) == 3
    assert index.finished["s", 1] == (StudyState.DONE, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidInstance("no pixel data"), "invalid-instance: no pixel data"),
        (KeyError("CANARY^JANE"), "internal: KeyError at "),
    ],
)
def test_lasting_failure_ends_the_study_with_its_reason_and_no_value(engine, error, reason, capfd):
    @_stage
    def broken(services, study_id, version):
        raise error

    def analyse(run):
        run(Stage.ROUTE, broken)
        return StudyState.DONE, None

    pipeline, index = engine(analyse)
    pipeline.start("s", 1)
    assert index.done.wait(20)
    state, told = index.finished["s", 1]
    assert state is StudyState.FAILED
    assert told.startswith(reason)
    written = "".join(capfd.readouterr())
    assert "CANARY" not in told + written
