"""Runs a model outside the pipeline, after those whose results it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.run import made_for

if TYPE_CHECKING:
    from pathlib import Path

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import Assignment, RoutingDecision
    from dicom_node.ports.models import ModelEngine, StudyInput


def run_decided(
    engine: ModelEngine,
    decision: RoutingDecision,
    model: str,
    study: StudyInput,
    scratch: Path,
    *,
    series_instance_uid: str | None = None,
) -> Prediction:
    """Run a model on the series that the router chose for it, fed as the pipeline would feed it.

    Only what it needs is run before it.

    Parameters
    ----------
    series_instance_uid
        One of several that were chosen; `None`: the first.

    Raises
    ------
    InferenceFailed
        If the router chose no series for it; the message says why.
    ModelProcessFailed
    """
    chosen = {(one.model, one.series_instance_uid): one for one in decision.assignments}

    def run(assignment: Assignment) -> Prediction:
        fed = {name: made_for(chosen, name, assignment) for name in assignment.needs}
        feeds = {name: run(needed) for name, needed in fed.items() if needed is not None}
        return engine.run(assignment, study, scratch, feeds)

    for one in decision.assignments:
        if one.model == model and series_instance_uid in (None, one.series_instance_uid):
            return run(one)
    raise InferenceFailed(decision.rejection or "no series fits")
