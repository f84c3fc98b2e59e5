"""Infer stage: one model on one series."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.run import Run, RunStatus
from dicom_node.pipeline.predictions import load_prediction, save_prediction
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import Assignment
    from dicom_node.pipeline.services import Services


def infer(
    services: Services,
    study_id: str,
    version: int,
    assignment: Assignment,
    feeds: Sequence[dict[str, str]] = (),
) -> dict[str, str]:
    """Run a model and keep its prediction in the work area; return the refs.

    Parameters
    ----------
    feeds
        Refs of earlier predictions that the assignment `needs`.
    """
    slot = services.index.study(study_id).slot
    services.stores.scratch.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{study_id}-", dir=services.stores.scratch))
    try:
        needed = [load_prediction(services.stores.work, refs) for refs in feeds]
        prediction = services.engine.run(
            assignment,
            study_input(services, study_id, version),
            scratch,
            {one.model.name: one for one in needed},
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    services.metrics.count("model_runs", model=assignment.model, status=prediction.status.value)
    services.metrics.observe("model_seconds", prediction.elapsed_s, model=assignment.model)
    name = f"prediction-{assignment.model}-{assignment.series_instance_uid}"
    return save_prediction(services.stores.work, slot, name, prediction)


def record_runs(
    services: Services, study_id: str, version: int, refs: Sequence[dict[str, str]], failed: Sequence[Run]
) -> tuple[Run, ...]:
    """Record all runs of this version, those that failed included."""
    runs = tuple(_run(load_prediction(services.stores.work, ref)) for ref in refs) + tuple(failed)
    services.index.set_runs(study_id, version, runs)
    return runs


def failed_run(assignment: Assignment, reason: str) -> Run:
    """A run that an error ended."""
    return Run(
        model=assignment.model,
        version=assignment.model_version,
        series_instance_uid=assignment.series_instance_uid,
        status=RunStatus.FAILED,
        reason=reason,
    )


def _run(prediction: Prediction) -> Run:
    return Run(
        model=prediction.model.name,
        version=prediction.model.version,
        series_instance_uid=prediction.series_instance_uid,
        status=prediction.status,
        reason=prediction.reason,
        label=prediction.label,
        confidence=prediction.confidence,
    )
