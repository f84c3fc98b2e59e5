"""What the `models` and `routes` commands do, as plain functions."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.routing.folder import explain_folder, read_folder
from inference.routing.rule import Route
from inference.runner.engine import ProcessEngine
from inference.runner.offline import run_decided

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dicom_node.domain.finding import Prediction
    from inference.contract.package import ModelManifest
    from inference.registry import ModelRegistry


def describe_model(registry: ModelRegistry, name: str) -> dict[str, Any]:
    """A package and its model card, ready for JSON or a listing.

    Raises
    ------
    NotFound
    """
    manifest = registry.get(name)
    card, needs = manifest.card, manifest.input
    return {
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "manufacturer": manifest.identity.manufacturer,
        "licence": manifest.licence,
        "task": manifest.task,
        "ai": manifest.identity.is_ai,
        "device_uid": manifest.identity.device_uid,
        "intended_use": card.intended_use,
        "training": card.training,
        "confidence": card.confidence,
        "min_confidence": manifest.min_confidence,
        "limits": list(card.limits),
        "references": list(card.references),
        "input": {
            "modalities": list(needs.modalities),
            "body_parts": list(needs.body_parts),
            "contrast": needs.contrast,
            "slices": [needs.min_slices, needs.max_slices],
            "spacing_mm": list(needs.spacing_mm),
            "min_coverage_mm": needs.min_coverage_mm,
            "min_age_years": needs.min_age_years,
        },
        "weights": [
            {"path": w.path, "distribution": w.distribution, "sha256": w.sha256} for w in manifest.weights
        ],
        "outputs": _outputs(manifest),
        "adapter": manifest.adapter.kind,
        "requires": list(manifest.requires),
        "memory_mb": manifest.memory_mb,
    }


def _outputs(manifest: ModelManifest) -> list[str]:
    """Labels of all that a package gives."""
    classes = manifest.classification.classes if manifest.classification else ()
    return [
        *(one.label for one in manifest.segments),
        *(one.label for one in classes),
        *(one.label for one in manifest.detections),
        *(one.label for one in manifest.maps),
        *(one.name.meaning for one in manifest.measurements),
    ]


def run_on_folder(
    registry: ModelRegistry,
    name: str,
    folder: Path,
    *,
    device: str = "auto",
    timeout_s: float = 600,
    min_confidence: float = 0.0,
    trusted: Callable[[], Collection[str]] = tuple,
) -> Prediction:
    """Run a model on the best series of a folder of DICOM files.

    Raises
    ------
    NotFound
        If there is no such model.
    InferenceFailed
        If the folder holds no series that the model takes; the message says why.
    ModelProcessFailed
    """
    registry.get(name)
    study = read_folder(folder)
    decision = explain_folder(registry, (Route("run", (name,)),), folder, study)
    engine = ProcessEngine(
        registry, device=device, timeout_s=timeout_s, min_confidence=min_confidence, trusted=trusted
    )
    with closing(engine), tempfile.TemporaryDirectory() as scratch:
        return run_decided(engine, decision, name, study, Path(scratch))
