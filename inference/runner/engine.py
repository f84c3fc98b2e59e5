"""Runs models: preprocess, gates, the model in its process, gates again."""

from __future__ import annotations

import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from dicom_node.domain.errors import (
    InferenceFailed,
    InvalidModelPackage,
    ModelProcessFailed,
    NodeError,
    NotFound,
)
from dicom_node.domain.run import Reason
from inference.gates.limits import check_confidence, check_limits
from inference.gates.measure import measure_volume
from inference.gates.source import check_source, check_volume
from inference.installed_files import check_sha256, find_weight
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused
from inference.routing.body_part import BodyPartTable
from inference.routing.series import series_facts
from inference.runner.prediction import done, rejected
from inference.runner.process import ModelProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dicom_node.domain.finding import Prediction
    from dicom_node.domain.run import Assignment
    from dicom_node.ports.models import StudyInput
    from inference.contract import ModelManifest
    from inference.preprocess.volume import Volume
    from inference.registry import ModelRegistry

log = structlog.get_logger(__name__)


class ProcessEngine:
    """`ports.ModelEngine` with one warm model process that all models share.

    Callers decode and gate beside each other; the model process works on one volume at a time. Where it
    dies, runs out of time or of memory, that run fails and the next one starts a new process.

    Parameters
    ----------
    device
        `auto` (CUDA where there is a device), `cpu` or `cuda`.
    timeout_s
        Seconds that the model may work on one volume; starting and loading have as long again.
    min_confidence
        The node's own threshold; a manifest may ask for more, never for less.
    """

    def __init__(
        self, registry: ModelRegistry, *, device: str, timeout_s: float, min_confidence: float
    ) -> None:
        self._registry = registry
        self._device = device
        self._timeout_s = timeout_s
        self._min_confidence = min_confidence
        self._body_parts = BodyPartTable()
        self._lock = threading.Lock()
        self._process: ModelProcess | None = None
        self._loaded: set[str] = set()
        self._closed = False

    def run(
        self,
        assignment: Assignment,
        study: StudyInput,
        scratch: Path,
        feeds: Mapping[str, Prediction] = MappingProxyType({}),  # noqa: ARG002
    ) -> Prediction:
        """Preprocess, gate, infer, gate again; see `ports.ModelEngine.run`."""
        try:
            manifest = self._registry.get(assignment.model)
        except NotFound as exc:
            raise InferenceFailed(str(exc)) from exc
        entries = [e for e in study.instances if e.series_instance_uid == assignment.series_instance_uid]
        if not entries:
            raise InferenceFailed("the study holds no instances of the series any more")
        facts = series_facts(entries, self._body_parts)
        reasons = list(check_source(manifest, facts, self._body_parts))
        if not all(reason.passed for reason in reasons):
            return rejected(manifest, assignment, reasons)
        try:
            volume = read_volume(facts.sop_instance_uids, study.read, max_voxels=manifest.input.max_voxels)
        except VolumeRefused as exc:
            reasons.append(Reason(assignment.series_instance_uid, f"volume.{exc.rule}", False, exc.text))
            return rejected(manifest, assignment, reasons)
        return self._run_on(manifest, assignment, volume, reasons, scratch)

    def run_volume(self, assignment: Assignment, volume: Volume, scratch: Path) -> Prediction:
        """As `run`, on a volume that did not come as a series: a package's own sample, say.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """
        try:
            manifest = self._registry.get(assignment.model)
        except NotFound as exc:
            raise InferenceFailed(str(exc)) from exc
        return self._run_on(manifest, assignment, volume, [], scratch)

    def warm_up(self) -> None:
        """Start the process and load every model ahead of the first study; never raises."""
        for name in sorted(self._registry.models):
            try:
                with self._lock:
                    if not self._closed:
                        self._ready(self._registry.get(name))
            except NodeError as exc:
                log.warning("model.warm_up_failed", model=name, code=exc.code, reason=str(exc))

    def close(self) -> None:
        """End the model process, in the middle of a run too."""
        self._closed = True
        process = self._process
        if process is not None:
            process.terminate()
        with self._lock:
            self._drop_process()

    def _run_on(
        self,
        manifest: ModelManifest,
        assignment: Assignment,
        volume: Volume,
        reasons: list[Reason],
        scratch: Path,
    ) -> Prediction:
        reasons += check_volume(manifest, measure_volume(volume), assignment.series_instance_uid)
        if not all(reason.passed for reason in reasons):
            return rejected(manifest, assignment, reasons)
        answer, arrays, elapsed_s = self._infer(manifest, volume, scratch)
        facts, confidence = answer["facts"], float(answer["confidence"])
        reasons += check_limits(manifest.gates_after, facts, manifest.name)
        least = max(self._min_confidence, manifest.min_confidence)
        reasons.append(check_confidence(confidence, least, manifest.name))
        if not all(reason.passed for reason in reasons):
            shown = confidence if 0 <= confidence <= 1 else None
            return rejected(manifest, assignment, reasons, confidence=shown, elapsed_s=elapsed_s)
        return done(
            manifest,
            assignment,
            reasons,
            sop_instance_uids=volume.sop_instance_uids,
            arrays=arrays,
            facts=facts,
            numbers=answer["numbers"],
            confidence=confidence,
            elapsed_s=elapsed_s,
        )

    def _infer(
        self, manifest: ModelManifest, volume: Volume, scratch: Path
    ) -> tuple[dict[str, Any], bytes, float]:
        voxels, arrays = scratch / "voxels.npy", scratch / "prediction.npz"
        try:
            np.save(voxels, volume.voxels, allow_pickle=False)
            request = {
                "do": "run",
                "model": manifest.name,
                "voxels": str(voxels),
                "affine": volume.affine.tolist(),
                "arrays": str(arrays),
            }
            with self._lock:
                process = self._ready(manifest)
                started = time.perf_counter()
                answer = process.ask(request, self._timeout_s)
                elapsed_s = time.perf_counter() - started
            log.info("model.run", model=manifest.name, elapsed_ms=round(elapsed_s * 1000))
            return answer, arrays.read_bytes(), elapsed_s
        except OSError as exc:
            raise ModelProcessFailed(f"arrays cannot be handed over ({exc.strerror})") from exc
        finally:
            # The image itself: no longer on the disk than needed.
            voxels.unlink(missing_ok=True)
            arrays.unlink(missing_ok=True)

    def _ready(self, manifest: ModelManifest) -> ModelProcess:
        """A live process with the model loaded. The lock is held."""
        if self._closed:
            raise ModelProcessFailed("the node is stopping")
        if self._process is None or not self._process.alive:
            self._drop_process()
            self._process = ModelProcess(self._device)
        if manifest.name not in self._loaded:
            self._load(self._process, manifest)
            self._loaded.add(manifest.name)
        return self._process

    def _load(self, process: ModelProcess, manifest: ModelManifest) -> None:
        weights = {}
        try:
            for weight in manifest.weights:
                path = find_weight(manifest, weight)
                check_sha256(path, weight.sha256)
                weights[weight.role] = str(path)
        except InvalidModelPackage as exc:
            raise InferenceFailed(f"{manifest.name}: {exc}") from exc
        answer = process.ask(
            {"do": "load", "model": manifest.name, "target": manifest.adapter.target, "weights": weights},
            self._timeout_s,
        )
        log.info(
            "model.loaded",
            model=manifest.name,
            device=answer["device"],
            elapsed_ms=round(answer["elapsed_s"] * 1000),
        )

    def _drop_process(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._process = None
        self._loaded.clear()
