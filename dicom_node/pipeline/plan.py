"""The order of the stages, and what each outcome means for the study. Pure: all effects are in the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.errors import NodeError
from dicom_node.domain.notification import Event, EventKind
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import Stage, StudyState
from dicom_node.pipeline import check, deidentify, deliver, encode, infer, purge, route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.domain.run import Run
    from dicom_node.pipeline.services import Services


class StageRunner(Protocol):
    """Runs a stage as a durable step, once or again after a crash, and returns what it returned."""

    def __call__(self, stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(services, study_id, version, *args)`."""


class Sleeper(Protocol):
    """Waits durably: after a crash only the rest of the time is waited."""

    def __call__(self, seconds: float) -> None:
        """Wait."""


def analyse(run: StageRunner) -> tuple[StudyState, str | None]:
    """De-identify to check; return how the study ends (before delivery and purge) and why."""
    outcome: deidentify.DeidentifyOutcome = run(Stage.DEIDENTIFY, deidentify.deidentify)
    if outcome.passed == 0:
        return StudyState.QUARANTINED, outcome.note or "the study holds no instances"

    decision = run(Stage.ROUTE, route.route)
    if decision.rejection:
        return StudyState.REJECTED, _joined(decision.rejection, outcome.note)

    refs: list[dict[str, str]] = []
    failed: list[Run] = []
    for assignment in decision.assignments:
        try:
            refs.append(run(Stage.INFER, infer.infer, assignment))
        except NodeError as exc:
            # One model that fails must not take the others' results away.
            failed.append(infer.failed_run(assignment, f"{exc.code}: {exc}"))
    runs = run(Stage.INFER, infer.record_runs, refs, failed)
    state, reason = _outcome_of(runs)
    if state is not StudyState.DONE:
        return state, _joined(reason, outcome.note)

    entries = run(Stage.ENCODE, encode.encode, refs)
    problems = run(Stage.CHECK, check.check, entries)
    if len(problems) == len(entries):
        return StudyState.FAILED, f"output gate: none of {len(entries)} result objects passed"
    kept_back = f"output gate: {len(problems)} of {len(entries)} objects kept back" if problems else None
    return StudyState.DONE, _joined(reason, kept_back, outcome.note)


def close(
    run: StageRunner, sleep: Sleeper, services: Services, state: StudyState, reason: str | None
) -> None:
    """Deliver what is done, purge the inputs and end the version."""
    if state is StudyState.DONE:
        undelivered = _deliver_all(run, sleep, services)
        if undelivered:
            reason = _joined(reason, f"not delivered to {', '.join(undelivered)}")
        if services.inputs_s > 0:
            run(Stage.PURGE, finish, state, reason)
            sleep(services.inputs_s)
            run(Stage.PURGE, purge.purge)
            return
    run(Stage.PURGE, purge.purge)
    run(Stage.PURGE, finish, state, reason)


def finish(services: Services, study_id: str, version: int, state: StudyState, reason: str | None) -> None:
    """End a version of a study."""
    services.index.finish(study_id, version, state, reason)
    services.metrics.count("studies_ended", state=state.value)
    services.audit.record("study.ended", study_id=study_id, version=version, state=state.value)
    services.announcer.announce(Event(EventKind.STUDY_ENDED, study_id, version, state=state))


def _deliver_all(run: StageRunner, sleep: Sleeper, services: Services) -> list[str]:
    pending = {sender.destination.name: 1 for sender in services.senders}
    undelivered: list[str] = []
    while pending:
        waits = []
        for destination, attempt in list(pending.items()):
            delivery = run(Stage.DELIVER, deliver.attempt_delivery, destination, attempt)
            if delivery.status is DeliveryStatus.PENDING:
                pending[destination] = attempt + 1
                waits.append(deliver.backoff(services.backoff_s.get(destination, 2.0), attempt))
                continue
            del pending[destination]
            if delivery.status is DeliveryStatus.FAILED:
                undelivered.append(destination)
        if waits:
            sleep(min(waits))
    return undelivered


def _outcome_of(runs: Sequence[Run]) -> tuple[StudyState, str | None]:
    reasons = [f"{r.model}: {r.reason}" for r in runs if r.reason and r.status is not RunStatus.DONE]
    reason = "; ".join(reasons) or None
    if any(r.status is RunStatus.DONE for r in runs):
        return StudyState.DONE, reason
    if any(r.status is RunStatus.FAILED for r in runs):
        return StudyState.FAILED, reason
    return StudyState.REJECTED, reason


def _joined(*parts: str | None) -> str | None:
    return "; ".join(p for p in parts if p) or None
