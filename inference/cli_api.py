"""What the `models` and `routes` commands do, as plain functions."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage, NodeError
from dicom_node.domain.run import Assignment, RunStatus
from inference.installed_files import check_sha256, find_sample
from inference.preprocess.volume import Volume
from inference.routing.folder import explain_folder, read_folder
from inference.routing.rule import Route
from inference.runner.engine import ProcessEngine

if TYPE_CHECKING:
    from dicom_node.domain.finding import Prediction
    from inference.contract import ModelManifest, Sample
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
        "outputs": [s.label for s in manifest.segments],
        "memory_mb": manifest.memory_mb,
    }


def check_model(
    registry: ModelRegistry, name: str, *, device: str = "auto", timeout_s: float = 600
) -> tuple[str, ...]:
    """Verify a package's files, then run it on its own sample; return what is wrong.

    Raises
    ------
    NotFound
    """
    manifest = registry.get(name)
    problems = registry.check(name)
    for sample in () if problems else manifest.samples:
        try:
            path = find_sample(manifest, sample)
            check_sha256(path, sample.sha256)
        except InvalidModelPackage as exc:
            return (f"sample: {exc}",)
        try:
            volume = volume_from_nifti(path)
            prediction = _run(registry, manifest, volume, device, timeout_s)
        except NodeError as exc:
            return (f"sample: {exc.code}: {exc}",)
        problems += _judge_sample(manifest, sample, prediction)
    return problems


def run_on_folder(
    registry: ModelRegistry,
    name: str,
    folder: Path,
    *,
    device: str = "auto",
    timeout_s: float = 600,
    min_confidence: float = 0.0,
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
    if not decision.assignments:
        raise InferenceFailed(decision.rejection or "no series fits")
    engine = ProcessEngine(registry, device=device, timeout_s=timeout_s, min_confidence=min_confidence)
    with closing(engine), tempfile.TemporaryDirectory() as scratch:
        return engine.run(decision.assignments[0], study, Path(scratch))


def volume_from_nifti(path: Path) -> Volume:
    """A NIfTI file as a volume; slices along its last axis.

    Raises
    ------
    InferenceFailed
        If it cannot be read as one volume.
    """
    try:
        image = nibabel.load(path)
        voxels = np.asarray(image.get_fdata(dtype=np.float32))
    except (OSError, ImageFileError) as exc:
        raise InferenceFailed(f"{path.name}: cannot be read as NIfTI ({type(exc).__name__})") from exc
    if voxels.ndim != 3:
        raise InferenceFailed(f"{path.name}: one volume is needed")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, dtype=np.float64)
    turned = affine[:, [2, 1, 0, 3]]
    voxels = np.ascontiguousarray(voxels.transpose(2, 1, 0))
    if np.dot(turned[:3, 0], np.cross(turned[:3, 2], turned[:3, 1])) < 0:
        # Slices ascend along the normal of rows and columns.
        turned = turned.copy()
        turned[:3, 3] += turned[:3, 0] * (voxels.shape[0] - 1)
        turned[:3, 0] *= -1
        voxels = np.ascontiguousarray(voxels[::-1])
    return Volume(voxels, turned, ())


def _run(
    registry: ModelRegistry, manifest: ModelManifest, volume: Volume, device: str, timeout_s: float
) -> Prediction:
    engine = ProcessEngine(registry, device=device, timeout_s=timeout_s, min_confidence=0.0)
    assignment = Assignment(manifest.name, manifest.version, "sample", "check")
    with closing(engine), tempfile.TemporaryDirectory() as scratch:
        return engine.run_volume(assignment, volume, Path(scratch))


def _judge_sample(manifest: ModelManifest, sample: Sample, prediction: Prediction) -> tuple[str, ...]:
    if sample.fact is None or sample.expected is None:
        return ()
    if prediction.status is not RunStatus.DONE:
        return (f"sample: {prediction.reason}",)
    low, high = sample.expected
    measured = [
        (described.fact, measurement.value)
        for segment, output in zip(prediction.segments, manifest.segments, strict=True)
        for measurement, described in zip(segment.measurements, output.measurements, strict=True)
    ]
    value = dict(measured).get(sample.fact)
    if value is None or not low <= value <= high:
        return (f"sample: {sample.fact} is {value}, expected {low:g} to {high:g}",)
    return ()
