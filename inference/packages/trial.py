"""Runs a package on its own samples, twice, and measures time and memory."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from PIL import Image, UnidentifiedImageError

from dicom_node.domain.errors import InferenceFailed, NodeError
from dicom_node.domain.run import Assignment, RunStatus
from inference.installed_files import find_sample
from inference.nifti import volume_from_nifti
from inference.packages.finding import PackageFinding
from inference.routing.folder import explain_folder, read_folder
from inference.routing.rule import Route
from inference.runner.arrays import unpack_arrays
from inference.runner.engine import ProcessEngine
from inference.runner.host import ModelHost
from inference.runner.limits import RunLimits
from inference.runner.offline import run_decided

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction
    from inference.contract.card import Sample
    from inference.contract.package import ModelManifest
    from inference.preprocess.volume import Volume
    from inference.registry import ModelRegistry

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one sample.

    Attributes
    ----------
    outcome
        For people: the label, or why there is none.
    cold_s, warm_s
        Of the first run (process started, weights loaded) and of the second; `None` where there was none.
    peak_mb
        The most that the model's process held, MiB, libraries included.
    """

    sample: str
    outcome: str
    cold_s: float | None = None
    warm_s: float | None = None
    peak_mb: int | None = None


def try_package(
    registry: ModelRegistry,
    manifest: ModelManifest,
    *,
    device: str,
    timeout_s: float,
    trusted: Callable[[], Collection[str]] = tuple,
) -> tuple[tuple[Trial, ...], tuple[PackageFinding, ...]]:
    """Run a package on each of its samples; what came out, and what is wrong with it.

    A package without samples is only loaded.
    """
    if not manifest.samples:
        host = ModelHost(
            device=device, timeout_s=timeout_s, limits=RunLimits(), trusted=trusted, metrics=None
        )
        with closing(host.pool):
            return _load(host, manifest)
    trials: list[Trial] = []
    findings: list[PackageFinding] = []
    for sample in manifest.samples:
        # One process a sample, so that the first run is a cold one each time.
        engine = ProcessEngine(
            registry, device=device, timeout_s=timeout_s, min_confidence=0.0, trusted=trusted
        )
        with closing(engine), tempfile.TemporaryDirectory() as scratch:
            trial, found = _try(registry, engine, manifest, sample, Path(scratch))
        trials.append(trial)
        findings += found
    return tuple(trials), tuple(findings)


def _load(host: ModelHost, manifest: ModelManifest) -> tuple[tuple[Trial, ...], tuple[PackageFinding, ...]]:
    started = time.perf_counter()
    try:
        host.warm_up(manifest)
    except NodeError as exc:
        return (), (PackageFinding("load", f"{exc.code}: {exc}", error=True),)
    loaded_s = time.perf_counter() - started
    return (
        Trial("(no sample)", "loaded", loaded_s, None, _peak_mb(host.pool.processes().get(manifest.name))),
    ), ()


def _try(
    registry: ModelRegistry, engine: ProcessEngine, manifest: ModelManifest, sample: Sample, scratch: Path
) -> tuple[Trial, list[PackageFinding]]:
    try:
        run = _runner(registry, engine, manifest, find_sample(manifest, sample), scratch)
        started = time.perf_counter()
        prediction = run()
        cold_s = time.perf_counter() - started
        started = time.perf_counter()
        again = run()
        warm_s = time.perf_counter() - started
    except NodeError as exc:
        return Trial(sample.path, str(exc)), [
            PackageFinding("sample", f"{sample.path}: {exc.code}: {exc}", error=True)
        ]
    peak_mb = _peak_mb(engine.processes().get(manifest.name))
    found = [
        PackageFinding("sample", f"{sample.path}: {text}", error=True)
        for text in _judged(sample, prediction, manifest)
    ]
    if (prediction.label, prediction.confidence) != (again.label, again.confidence):
        text = f"{sample.path}: a second run gave another result"
        found.append(PackageFinding("sample", text, error=False))
    if peak_mb is not None and peak_mb > manifest.memory_mb:
        text = f"the model's process held {peak_mb} MiB, memory_mb says {manifest.memory_mb}"
        found.append(PackageFinding("memory", text, error=False))
    outcome = prediction.label or prediction.reason or prediction.status.value
    return Trial(sample.path, outcome, cold_s, warm_s, peak_mb), found


def _runner(
    registry: ModelRegistry, engine: ProcessEngine, manifest: ModelManifest, path: Path, scratch: Path
) -> Callable[[], Prediction]:
    """What runs the package on one sample, the file already read."""
    assignment = Assignment(manifest.name, manifest.version, "sample", "check")
    if path.name.endswith((".nii", ".nii.gz")):
        volume = volume_from_nifti(path)
        feeds = _feeds(registry, engine, manifest, volume, scratch)
        return lambda: engine.run_volume(assignment, volume, scratch, feeds)
    if path.suffix.lower() in PICTURES:
        picture = _picture(path)
        return lambda: engine.predict_image(manifest.name, picture, scratch)
    if path.is_file():
        folder = scratch / "series"
        folder.mkdir()
        shutil.copy(path, folder / "1.dcm")
        path = folder
    study = read_folder(path)
    decision = explain_folder(registry, (Route("check", (manifest.name,)),), path, study)
    if not decision.assignments:
        raise InferenceFailed(decision.rejection or "no series of the sample fits")
    inner = scratch / "arrays"
    inner.mkdir()
    return lambda: run_decided(engine, decision, manifest.name, study, inner)


def _feeds(
    registry: ModelRegistry, engine: ProcessEngine, manifest: ModelManifest, volume: Volume, scratch: Path
) -> dict[str, NDArray[Any]]:
    """Arrays of the models that the package is fed with, run on the same sample."""
    feeds: dict[str, NDArray[Any]] = {}
    for name in manifest.requires:
        needed = registry.get(name)
        given = _feeds(registry, engine, needed, volume, scratch)
        assignment = Assignment(name, needed.version, "sample", "check")
        prediction = engine.run_volume(assignment, volume, scratch, given)
        if prediction.status is not RunStatus.DONE:
            raise InferenceFailed(f"{name}, which it is fed with, gave nothing: {prediction.reason}")
        feeds |= {f"{name}.{key}": array for key, array in unpack_arrays(prediction.arrays).items()}
    return feeds


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            grey = image.mode in {"1", "L", "I", "I;16", "F"}
            return np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as exc:
        raise InferenceFailed(f"{path.name} cannot be read as a picture ({type(exc).__name__})") from exc


def _judged(sample: Sample, prediction: Prediction, manifest: ModelManifest) -> list[str]:
    if sample.rejected:
        done = prediction.status is RunStatus.DONE
        return ["the gates let it pass, they should reject it"] if done else []
    if prediction.status is not RunStatus.DONE:
        return [str(prediction.reason)]
    wrong = []
    if sample.expected_class is not None:
        said = [one.name for one in prediction.classes if one.present]
        if sample.expected_class not in said:
            wrong.append(f"it says {', '.join(said) or 'nothing'}, expected {sample.expected_class}")
    if sample.fact is not None and sample.expected is not None:
        low, high = sample.expected
        value = _facts(prediction, manifest).get(sample.fact)
        if value is None or not low <= value <= high:
            wrong.append(f"{sample.fact} is {value}, expected {low:g} to {high:g}")
    return wrong


def _facts(prediction: Prediction, manifest: ModelManifest) -> dict[str, float]:
    """Numbers of a prediction by the names that the manifest has for them."""
    facts = {f"p_{one.name}": one.probability for one in prediction.classes}
    facts["detections"] = float(len(prediction.detections))
    if prediction.confidence is not None:
        facts["confidence"] = prediction.confidence
    for output, measured in zip(manifest.measurements, prediction.measurements, strict=False):
        facts[output.fact] = measured.value
    for segment in prediction.segments:
        described = manifest.segments[segment.number - 1].measurements
        for output, measured in zip(described, segment.measurements, strict=False):
            facts[f"segment_{segment.number}_{output.fact}"] = measured.value
            facts.setdefault(output.fact, measured.value)
    return facts


def _peak_mb(pid: int | None) -> int | None:
    if pid is None:
        return None
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
        return int(psutil.Process(pid).memory_info().rss // _MIB)
    except (OSError, ValueError, psutil.Error):
        return None
