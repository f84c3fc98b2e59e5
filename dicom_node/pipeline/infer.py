"""Infer stage: one model on one series, or on several together."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed, ModelProcessFailed
from dicom_node.domain.run import Run, RunStatus
from dicom_node.pipeline.predictions import load_prediction, save_prediction
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import Assignment
    from dicom_node.domain.study import Slot
    from dicom_node.pipeline.services import Services


def infer(
    services: Services,
    study_id: str,
    version: int,
    assignments: Sequence[Assignment],
    feeds: Sequence[Sequence[dict[str, str]]],
) -> list[dict[str, str]]:
    """Run a model on the first of several series, as many as it takes at once; return refs for each of them.

    The predictions are kept in the work area.

    Parameters
    ----------
    feeds
        For each assignment refs of earlier predictions that it `needs`.

    Raises
    ------
    InferenceFailed, ModelProcessFailed
        Of several, `InferenceFailed`: together they are not tried again.
    """
    slot = services.index.study(study_id).slot
    fed = {one.series_instance_uid: refs for one, refs in zip(assignments, feeds, strict=True)}

    def needed(assignment: Assignment) -> dict[str, Prediction]:
        loaded = (load_prediction(services.stores.work, r) for r in fed[assignment.series_instance_uid])
        return {one.model.name: one for one in loaded}

    services.stores.scratch.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{study_id}-", dir=services.stores.scratch))
    try:
        study = study_input(services, study_id, version)
        predictions = services.engine.run_batch(assignments, study, scratch, needed)
    except ModelProcessFailed as exc:
        if len(assignments) == 1:
            raise
        raise InferenceFailed(str(exc)) from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [_keep(services, slot, prediction) for prediction in predictions]


def _keep(services: Services, slot: Slot, prediction: Prediction) -> dict[str, str]:
    model = prediction.model.name
    services.metrics.count("model_runs", model=model, status=prediction.status.value)
    services.metrics.observe("model_seconds", prediction.elapsed_s, model=model)
    name = f"prediction-{model}-{prediction.series_instance_uid}"
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
