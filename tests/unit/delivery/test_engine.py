"""Deliveries on the real durable engine: through it, after a crash, and after an upgrade of the node."""

import logging
import threading

import pytest
from dbos import DBOS, SetWorkflowID
from delivery_bench import SC, SEG, SR, Pacs
from processes import eventually

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import DeliveryFailed, StorageFailure
from dicom_node.domain.study import StudyState
from dicom_node.pipeline import plan, workflow
from dicom_node.pipeline.deliver_dispatch import Dispatcher


@pytest.fixture
def engine(bench, tmp_path, monkeypatch):
    """A function that starts engine and dispatcher over the bench's services, or stops them."""
    monkeypatch.setattr(plan.purge, "purge", lambda services, study_id, version: True)
    running = []

    def stop():
        while running:
            running.pop().stop()
            running.pop().close()

    def start(analyse=lambda run: (StudyState.DONE, None)):
        stop()
        monkeypatch.setattr(plan, "analyse", analyse)
        pipeline = workflow.Pipeline(bench.services, database_url=f"sqlite:///{tmp_path / 'flow.db'}")
        pipeline.launch()
        dispatcher = Dispatcher(bench.services, pipeline)
        running.extend([pipeline, dispatcher])
        dispatcher.start()
        return pipeline

    start.stop = stop
    yield start
    stop()
    logging.getLogger("dbos").handlers.clear()


def ended(bench, study_id):
    return eventually(lambda: bench.index.study(study_id).state is StudyState.DONE, 30, "the study's end")


def test_study_is_delivered_and_ended_without_a_poll(bench, engine):
    one, two = Pacs(Destination("one")), Pacs(Destination("two"))
    bench.configure(one, two)
    study_id = bench.study()
    engine().start(study_id, 1)
    ended(bench, study_id)
    assert one.stored == two.stored == [SEG, SR, SC]
    assert {record.status for record in bench.store.of_version(study_id, 1)} == {DeliveryStatus.SENT}


def test_stores_that_fail_put_an_attempt_off(bench, engine):
    taker = Pacs(Destination("pacs", backoff_s=0.01))
    taker.down = StorageFailure("the result store did not answer")
    bench.configure(taker)
    study_id = bench.study()
    engine().start(study_id, 1)
    waiting = eventually(
        lambda: (d := bench.store.of_version(study_id, 1)) and d[0].attempts and d[0], 30, "an attempt"
    )
    assert waiting.reason == "storage-failure: the result store did not answer"
    taker.down = None
    bench.clock.advance(60)
    ended(bench, study_id)
    assert taker.stored == [SEG, SR, SC]


def test_started_study_whose_analysis_ended_is_not_analysed_again(bench, engine):
    taker = Pacs(Destination("pacs"))
    taker.down = DeliveryFailed("away")
    bench.configure(taker)
    study_id = bench.study()
    calls = []

    def analyse(run):
        calls.append(1)
        return StudyState.DONE, None

    engine(analyse).start(study_id, 1)
    eventually(lambda: bench.store.closing(study_id, 1), 30, "the end of the analysis")
    engine(analyse).start(study_id, 1)
    taker.down = None
    bench.clock.advance(600)
    ended(bench, study_id)
    assert len(calls) == 1


class OldNode:
    """The workflows of `pipeline-1`: `close-study` tries each destination itself, and sleeps between."""

    def __init__(self, path, stop_in):
        self.reached = threading.Event()
        self._over = threading.Event()
        DBOS(
            config={
                "name": "dicom-node",
                "system_database_url": f"sqlite:///{path}",
                "application_version": "pipeline-1",
                "executor_id": "local",
                "log_level": "ERROR",
                "enable_otlp": False,
            }
        )

        def close_study(study_id: str, version: int, state: str, reason: str | None) -> None:
            self._stand("close-study", stop_in)

        def process_study(study_id: str, version: int) -> str:
            self._stand("process-study", stop_in)
            with SetWorkflowID(f"{study_id}.v{version}.close"):
                DBOS.enqueue_workflow("close", close, study_id, version, "done", "told by the old node")
            return "done"

        close = DBOS.workflow(name="close-study")(close_study)
        self._process = DBOS.workflow(name="process-study")(process_study)
        DBOS.launch()
        for name in ("compute", "close"):
            DBOS.register_queue(name, worker_concurrency=4, polling_interval_sec=0.05)

    def _stand(self, name, stop_in):
        if name == stop_in:
            self.reached.set()
            self._over.wait()

    def leave(self, study_id):
        """Start the study's pipeline, and go down in the middle of it."""
        with SetWorkflowID(f"{study_id}.v1"):
            DBOS.enqueue_workflow("compute", self._process, study_id, 1)
        assert self.reached.wait(30)
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)

    def end(self):
        """Let the thread of the interrupted workflow go: the interpreter waits for it at its end."""
        self._over.set()


@pytest.fixture
def old_node(tmp_path):
    """A function that makes an older node, which stops in the workflow of a name."""
    made = []

    def make(stop_in):
        made.append(OldNode(tmp_path / "flow.db", stop_in))
        return made[-1]

    yield make
    for node in made:
        node.end()


@pytest.mark.parametrize(
    ("stopped", "reason"), [("process-study", None), ("close-study", "told by the old node")]
)
def test_study_that_an_older_node_left_goes_on_after_the_upgrade(bench, engine, old_node, stopped, reason):
    taker = Pacs(Destination("pacs"))
    bench.configure(taker)
    study_id = bench.study()
    old_node(stopped).leave(study_id)
    analysed = []

    def analyse(run):
        analysed.append(1)
        return StudyState.DONE, None

    pipeline = engine(analyse)
    for unfinished in bench.index.unfinished():
        pipeline.start(*unfinished)
    ended(bench, study_id)
    assert taker.stored == [SEG, SR, SC]
    assert bench.index.study(study_id).reason == reason
    assert len(analysed) == (stopped == "process-study")
    engine(analyse)
    left = DBOS.list_workflows(status=["PENDING", "ENQUEUED"])
    assert left == []
