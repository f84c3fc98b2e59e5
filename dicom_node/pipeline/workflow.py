"""The pipeline as durable workflows on DBOS: every stage is a step that survives `kill -9`.

A step that was interrupted runs again, so every stage is idempotent. Workflows of a study version:
`process-study` (de-identify to check) on the compute queue; for each attempt at a destination
`deliver-results`; and `close-study` (purge, end) whenever its deliveries may let it end. No workflow waits
for a destination: what is due is in the database, and the dispatcher hands it over.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID, error

from dicom_node.domain.errors import InternalError, NodeError, TransientError
from dicom_node.domain.study import Stage, StudyState
from dicom_node.pipeline import deliver, deliver_plan, plan
from dicom_node.pipeline.priority import ROUTINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.services import Services

log = structlog.get_logger(__name__)

COMPUTE_QUEUE = "compute"
#: Raised where a change to the workflows could not replay what an older node recorded: what it left is then
#: taken over, not replayed.
APPLICATION_VERSION = "pipeline-4"
_LEFT = ["PENDING", "ENQUEUED", "DELAYED"]
#: Steps that say nothing about where the pipeline is.
_AFTER_THE_END = {plan.finish, plan.closed, deliver_plan.ending, deliver.postpone}
#: Tries of a stage that fails for a passing reason (a store that does not answer, say); fewer for a model,
#: which may take its whole time limit each time.
STEP_ATTEMPTS = 4
MODEL_ATTEMPTS = 2
#: Seconds between two looks of the engine at its queues: what an idle node costs, against 0.1 s of waiting on
#: average. With `worker_concurrency` it bounds the rate.
POLL_S = 0.2


class Pipeline:
    """The durable engine of one node.

    Parameters
    ----------
    database_url
        DBOS's system database, an SQLAlchemy URL.
    compute_slots
        Studies that are worked on at once.
    executor_id
        Name of this node among those that share the database; the same after a restart.
    priority
        Priority of a study version in the compute queue, smaller goes first; without it all are alike.
    hook
        For fault tests only: called around each stage.
    """

    def __init__(
        self,
        services: Services,
        *,
        database_url: str,
        compute_slots: int = 2,
        executor_id: str = "local",
        priority: Callable[[str, int], int] = lambda _study_id, _version: ROUTINE,
        hook: Callable[[str, str], None] | None = None,
    ) -> None:
        self._services = services
        self._priority = priority
        self._hook = hook
        self._compute_slots = compute_slots
        if database_url.startswith("sqlite:///"):
            _set_wal(database_url.removeprefix("sqlite:///"))
        config: DBOSConfig = {
            "name": "dicom-node",
            "system_database_url": database_url,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor_id,
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DBOS(config=config)

        # Plain functions: the engine keeps its registrations on the function object, and a bound method
        # takes no attributes.
        def process_study(study_id: str, version: int) -> str:
            return self._process(study_id, version)

        def deliver_results(study_id: str, version: int, destination: str, number: int) -> None:
            self._deliver(study_id, version, destination, number)

        def close_study(study_id: str, version: int, number: int) -> None:
            self._close(study_id, version, number)

        self._process_workflow = DBOS.workflow(name="process-study")(process_study)
        self._deliver_workflow = DBOS.workflow(name="deliver-results")(deliver_results)
        self._close_workflow = DBOS.workflow(name="close-study")(close_study)
        self.changed = threading.Event()

    def launch(self) -> None:
        """Start the engine; interrupted workflows go on."""
        DBOS.launch()
        DBOS.register_queue(
            COMPUTE_QUEUE,
            worker_concurrency=self._compute_slots,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )
        self._take_over()

    def close(self) -> None:
        """Stop the engine; what is in mid-step runs again at the next launch."""
        DBOS.destroy(destroy_registry=True)

    def start(self, study_id: str, version: int) -> None:
        """Start the pipeline of a study version, or let it go on; never twice."""
        if self._services.deliveries.closing(study_id, version) is not None:
            return  # analysed: the dispatcher knows what is left to do
        workflow_id = f"{study_id}.v{version}.{APPLICATION_VERSION}"
        # Above 0 always: that is the engine's highest, for those that say nothing.
        priority = self._priority(study_id, version)
        with SetWorkflowID(workflow_id), SetEnqueueOptions(priority=priority):
            handle = DBOS.enqueue_workflow(COMPUTE_QUEUE, self._process_workflow, study_id, version)
        if handle.get_status().status in {"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"}:
            # The study is still in `processing`, so its end could not be recorded: go on from there.
            DBOS.resume_workflow(workflow_id)

    def start_delivery(self, study_id: str, version: int, destination: str, number: int) -> None:
        """Start an attempt; the same arguments again start nothing."""
        with SetWorkflowID(_delivery_id(study_id, version, destination, number)):
            DBOS.start_workflow(self._deliver_workflow, study_id, version, destination, number)

    def start_close(self, study_id: str, version: int, number: int) -> None:
        """Start to end a version; the same arguments again start nothing."""
        with SetWorkflowID(_close_id(study_id, version, number)):
            DBOS.start_workflow(self._close_workflow, study_id, version, number)

    def has_delivery(self, study_id: str, version: int, destination: str, number: int) -> bool:
        """Whether an attempt waits or runs."""
        return _is_left(_delivery_id(study_id, version, destination, number))

    def has_close(self, study_id: str, version: int, number: int) -> bool:
        """Whether the end of a version waits or runs."""
        return _is_left(_close_id(study_id, version, number))

    def _take_over(self) -> None:
        """Go on with what an older node left: its workflows had another shape and cannot be replayed.

        One that had its end before it goes on with its deliveries, of which those that got through are
        known; any other starts anew, since every stage may run again.
        """
        for left in DBOS.list_workflows(
            status=_LEFT, name=["process-study", "close-study"], load_output=False
        ):
            if left.app_version == APPLICATION_VERSION:
                continue
            arguments = () if left.input is None else tuple(left.input["args"])
            log.info("pipeline.taken_over", name=left.name, version=left.app_version)
            if left.name == "close-study" and len(arguments) == 4:
                study_id, version, state, reason = arguments
                try:
                    deliver_plan.prepare(self._services, study_id, version, StudyState(state), reason)
                except NodeError as exc:
                    log.warning("pipeline.restarted", study_id=study_id, version=version, code=exc.code)
            DBOS.cancel_workflow(left.workflow_id)

    def _process(self, study_id: str, version: int) -> str:
        def run(stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
            return self._durable(study_id, version, stage, function, *args)

        try:
            state, reason = plan.analyse(run)
        except NodeError as exc:
            state, reason = StudyState.FAILED, _failed(study_id, version, exc)
        if state in {StudyState.DONE, StudyState.REJECTED}:
            try:
                run(Stage.DELIVER, deliver_plan.prepare, state, reason)
            except NodeError as exc:
                state, reason = StudyState.FAILED, _failed(study_id, version, exc)
        if state not in {StudyState.DONE, StudyState.REJECTED}:
            run(Stage.PURGE, plan.finish, state, reason)
        self.changed.set()
        return state.value

    def _deliver(self, study_id: str, version: int, destination: str, number: int) -> None:
        def run(function: Callable[..., Any], *args: Any) -> Any:
            return self._durable(study_id, version, Stage.DELIVER, function, destination, number, *args)

        try:
            run(deliver.attempt_delivery)
        except NodeError as exc:
            run(deliver.postpone, f"{exc.code}: {exc}")
        self.changed.set()

    def _close(self, study_id: str, version: int, number: int) -> None:
        def run(stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
            return self._durable(study_id, version, stage, function, *args)

        again_at = None
        try:
            ending = plan.close(run)
            again_at = None if ending is None else ending.again_at
        except NodeError as exc:
            # The inputs stay, so nothing is lost.
            run(Stage.PURGE, plan.finish, StudyState.FAILED, _failed(study_id, version, exc))
        run(Stage.DELIVER, plan.closed, number, again_at)
        self.changed.set()

    def _durable(
        self, study_id: str, version: int, stage: Stage, function: Callable[..., Any], *args: Any
    ) -> Any:
        try:
            return DBOS.run_step(
                {
                    "name": f"{stage.value}.{function.__name__}",
                    "retries_allowed": True,
                    "max_attempts": MODEL_ATTEMPTS if stage is Stage.INFER else STEP_ATTEMPTS,
                    "interval_seconds": 0.5,
                    "should_retry": lambda exc: isinstance(exc, TransientError),
                },
                self._run_stage,
                study_id,
                version,
                stage,
                function,
                *args,
            )
        except error.DBOSMaxStepRetriesExceeded as exc:
            raise exc.errors[-1] from exc

    def _run_stage(
        self, study_id: str, version: int, stage: Stage, function: Callable[..., Any], *args: Any
    ) -> Any:
        if self._hook is not None:
            self._hook("before", function.__name__)
        started = time.perf_counter()
        if function not in _AFTER_THE_END:
            self._services.index.set_stage(study_id, version, stage)
        try:
            value = function(self._services, study_id, version, *args)
        except NodeError:
            raise
        except Exception as exc:  # noqa: BLE001  the stage runner; the engine records errors with their text
            raise InternalError.of(exc) from None
        elapsed = time.perf_counter() - started
        self._services.metrics.observe("stage_seconds", elapsed, stage=stage.value)
        log.info(
            "stage.done",
            study_id=study_id,
            version=version,
            stage=stage.value,
            step=function.__name__,
            elapsed_ms=round(elapsed * 1000),
        )
        if self._hook is not None:
            self._hook("after", function.__name__)
        return value


def _delivery_id(study_id: str, version: int, destination: str, number: int) -> str:
    return f"{study_id}.v{version}.{APPLICATION_VERSION}.to.{destination}.{number}"


def _close_id(study_id: str, version: int, number: int) -> str:
    return f"{study_id}.v{version}.{APPLICATION_VERSION}.close.{number}"


def _is_left(workflow_id: str) -> bool:
    found = DBOS.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
    return any(workflow.status in _LEFT for workflow in found)


def _set_wal(path: str) -> None:
    # Write-ahead logging is a property of the file; the engine itself leaves SQLite's default.
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _failed(study_id: str, version: int, exc: NodeError) -> str:
    log.error("study.failed", study_id=study_id, version=version, code=exc.code, reason=str(exc))
    return f"{exc.code}: {exc}"
