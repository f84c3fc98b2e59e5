"""The pipeline as durable workflows on DBOS: every stage is a step that survives `kill -9`.

A step that was interrupted runs again, so every stage is idempotent. Two workflows a study version:
`process-study` (de-identify to check) on the compute queue, and `close-study` (deliver, purge) on a wide
queue, where waiting for a destination holds up nobody else.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID, error

from dicom_node.domain.errors import InternalError, NodeError, TransientError
from dicom_node.domain.study import Stage, StudyState
from dicom_node.pipeline import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.services import Services

log = structlog.get_logger(__name__)

COMPUTE_QUEUE = "compute"
CLOSE_QUEUE = "close"
#: Raised where a change to the workflows could not replay what an older node recorded.
APPLICATION_VERSION = "pipeline-1"
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
        hook: Callable[[str, str], None] | None = None,
    ) -> None:
        self._services = services
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

        def close_study(study_id: str, version: int, state: str, reason: str | None) -> None:
            self._close(study_id, version, StudyState(state), reason)

        self._process_workflow = DBOS.workflow(name="process-study")(process_study)
        self._close_workflow = DBOS.workflow(name="close-study")(close_study)

    def launch(self) -> None:
        """Start the engine; interrupted workflows go on."""
        DBOS.launch()
        for name, slots in ((COMPUTE_QUEUE, self._compute_slots), (CLOSE_QUEUE, 32)):
            DBOS.register_queue(
                name, worker_concurrency=slots, polling_interval_sec=POLL_S, on_conflict="always_update"
            )

    def close(self) -> None:
        """Stop the engine; what is in mid-step runs again at the next launch."""
        DBOS.destroy(destroy_registry=True)

    def start(self, study_id: str, version: int) -> None:
        """Start the pipeline of a study version, or let it go on; never twice."""
        workflow_id = f"{study_id}.v{version}"
        with SetWorkflowID(workflow_id):
            handle = DBOS.enqueue_workflow(COMPUTE_QUEUE, self._process_workflow, study_id, version)
        if handle.get_status().status in {"ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"}:
            # The study is still in `processing`, so its end could not be recorded: go on from there.
            DBOS.resume_workflow(workflow_id)

    def _process(self, study_id: str, version: int) -> str:
        def run(stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
            return self._durable(study_id, version, stage, function, *args)

        try:
            state, reason = plan.analyse(run)
        except NodeError as exc:
            state, reason = StudyState.FAILED, _failed(study_id, version, exc)
        if state in {StudyState.DONE, StudyState.REJECTED}:
            with SetWorkflowID(f"{study_id}.v{version}.close"):
                DBOS.enqueue_workflow(
                    CLOSE_QUEUE, self._close_workflow, study_id, version, state.value, reason
                )
        else:
            run(Stage.PURGE, plan.finish, state, reason)
        return state.value

    def _close(self, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
        def run(stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
            return self._durable(study_id, version, stage, function, *args)

        try:
            plan.close(run, DBOS.sleep, self._services, state, reason)
        except NodeError as exc:
            # The inputs stay, so nothing is lost.
            run(Stage.PURGE, plan.finish, StudyState.FAILED, _failed(study_id, version, exc))

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
        if function is not plan.finish:
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
