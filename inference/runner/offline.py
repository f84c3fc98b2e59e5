"""Runs a model outside the pipeline, after those whose results it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.run import made_for

if TYPE_CHECKING:
    from pathlib import Path

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import RoutingDecision
    from dicom_node.ports.models import ModelEngine, StudyInput


def run_decided(
    engine: ModelEngine, decision: RoutingDecision, model: str, study: StudyInput, scratch: Path
) -> Prediction:
    """Run a model on the series that the router chose for it, fed as the pipeline would feed it.

    Raises
    ------
    InferenceFailed
        If the router chose no series for it; the message says why.
    ModelProcessFailed
    """
    made_by: dict[tuple[str, str], Prediction] = {}
    for assignment in decision.assignments:
        fed = {name: made_for(made_by, name, assignment) for name in assignment.needs}
        feeds = {name: prediction for name, prediction in fed.items() if prediction is not None}
        prediction = engine.run(assignment, study, scratch, feeds)
        if assignment.model == model:
            return prediction
        made_by[assignment.model, assignment.series_instance_uid] = prediction
    raise InferenceFailed(decision.rejection or "no series fits")
