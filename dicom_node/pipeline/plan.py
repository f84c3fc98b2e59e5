"""The order of the stages, and what each outcome means for the study. Pure: all effects are in the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dicom_node.domain.errors import NodeError
from dicom_node.domain.notification import Event, EventKind
from dicom_node.domain.run import RunStatus, by_model, made_for
from dicom_node.domain.study import Stage, StudyState
from dicom_node.pipeline import check, deidentify, deliver_plan, encode, infer, purge, route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from dicom_node.domain.run import Assignment, Run
    from dicom_node.pipeline.deliver_plan import Ending
    from dicom_node.pipeline.services import Services


class StageRunner(Protocol):
    """Runs a stage as a durable step, once or again after a crash, and returns what it returned."""

    def __call__(self, stage: Stage, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(services, study_id, version, *args)`."""


def analyse(run: StageRunner) -> tuple[StudyState, str | None]:
    """De-identify to check; return how the study ends (before delivery and purge) and why."""
    outcome: deidentify.DeidentifyOutcome = run(Stage.DEIDENTIFY, deidentify.deidentify)
    if outcome.passed == 0:
        return StudyState.QUARANTINED, outcome.note or "the study holds no instances"

    decision = run(Stage.ROUTE, route.route)
    if decision.rejection:
        return StudyState.REJECTED, _joined(decision.rejection, outcome.note)

    refs, failed = _infer(run, decision.assignments)
    runs = run(Stage.INFER, infer.record_runs, refs, failed)
    state, reason = _outcome_of(runs)

    # A rejection is a result too: a report that says why.
    entries = run(Stage.ENCODE, encode.encode, refs) if refs else ()
    if not entries:
        return state, _joined(reason, outcome.note)
    problems = run(Stage.CHECK, check.check, entries)
    if state is StudyState.DONE and len(problems) == len(entries):
        return StudyState.FAILED, f"output gate: none of {len(entries)} result objects passed"
    kept_back = f"output gate: {len(problems)} of {len(entries)} objects kept back" if problems else None
    return state, _joined(reason, kept_back, outcome.note)


def _infer(run: StageRunner, assignments: Sequence[Assignment]) -> tuple[list[dict[str, str]], list[Run]]:
    """Run all models; return the refs of what they made, in the order of the assignments, and what failed."""
    made_by: dict[tuple[str, str], dict[str, str]] = {}
    failed: list[Run] = []
    for group in by_model(assignments):
        left, most = group, len(group)
        while left:
            asked = left[:most]
            try:
                made = run(Stage.INFER, infer.infer, asked, [_feeds(made_by, one) for one in asked])
            except NodeError as exc:
                if len(asked) > 1:
                    most = 1  # which of them it was shows when each is alone
                    continue
                # One model that fails must not take the others' results away.
                failed.append(infer.failed_run(asked[0], f"{exc.code}: {exc}"))
                left = left[1:]
                continue
            for one, refs in zip(asked, made, strict=False):
                made_by[one.model, one.series_instance_uid] = refs
            left = left[len(made) :]
    keys = ((one.model, one.series_instance_uid) for one in assignments)
    return [made_by[key] for key in keys if key in made_by], failed


def _feeds(made_by: dict[tuple[str, str], dict[str, str]], assignment: Assignment) -> list[dict[str, str]]:
    """What was made of all that an assignment needs, as far as there is any."""
    found = (made_for(made_by, name, assignment) for name in assignment.needs)
    return [refs for refs in found if refs is not None]


def close(run: StageRunner) -> Ending | None:
    """End a version once its deliveries let it, and purge the inputs once they are not needed."""
    ending: Ending | None = run(Stage.DELIVER, deliver_plan.ending)
    if ending is None:
        return None
    if ending.purge:
        run(Stage.PURGE, purge.purge)
    if ending.finish:
        run(Stage.PURGE, finish, ending.state, ending.reason, ending.first)
    return ending


def finish(
    services: Services, study_id: str, version: int, state: StudyState, reason: str | None, first: bool = True
) -> None:
    """End a version of a study, or correct the reason of its end where that is not the first time."""
    services.index.finish(study_id, version, state, reason)
    if not first:
        return
    services.metrics.count("studies_ended", state=state.value)
    services.audit.record("study.ended", study_id=study_id, version=version, state=state.value)
    services.announcer.announce(Event(EventKind.STUDY_ENDED, study_id, version, state=state))


def closed(services: Services, study_id: str, version: int, number: int, again_at: datetime | None) -> None:
    """Note that a version was looked at."""
    services.deliveries.release_closings([(study_id, version, number, again_at)])


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
