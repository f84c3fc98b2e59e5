"""Bundles as adapters: what they give becomes masks, classes and boxes of the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from dicom_node.domain.finding import Task
from inference.adapters.bundle.boxes import found_boxes
from inference.adapters.bundle.grid import as_loaded_picture, as_loaded_volume
from inference.adapters.bundle.masks import Outlined, outlined
from inference.contract.inputs import InputKind
from inference.preprocess.slices import select_slices
from inference.runner.adapter import ModelOutput
from inference.tasks.verdict import MULTI_LABEL, summarise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.adapters.bundle.grid import SourceGrid
    from inference.adapters.bundle.run import BundleOutput, BundleRunner
    from inference.contract.outputs import ClassificationOutput
    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter, DetectedBox, ModelInput


def adapter_for(manifest: ModelManifest, runner: BundleRunner, channels: int | None) -> Adapter:
    """What runs a bundle for the manifest's task.

    Parameters
    ----------
    channels
        Of the network's image, where it is known.

    Raises
    ------
    InvalidModelPackage
        If bundles are not run for the task.
    """
    if manifest.task is Task.SEGMENTATION:
        return BundleSegmenter(manifest, runner, channels)
    if manifest.task is Task.CLASSIFICATION:
        return BundleClassifier(manifest, runner, channels)
    if manifest.task is Task.DETECTION:
        return BundleDetector(manifest, runner, channels)
    raise InvalidModelPackage(f"task {manifest.task}: a bundle segments, classifies or detects")


class _BundleAdapter:
    """What the three share: the bundle, and its images of an input."""

    def __init__(self, manifest: ModelManifest, runner: BundleRunner, channels: int | None) -> None:
        self._manifest = manifest
        self._runner = runner
        self._channels = channels
        self._whole = manifest.input.kind is InputKind.VOLUME

    def warm_up(self) -> None:
        """Run once on noise: a GPU compiles for the first image."""
        noise = np.random.default_rng(0).normal(100, 30, (32, 64, 64)).astype(np.float32)
        image, _ = (
            as_loaded_volume(noise, np.eye(4)) if self._whole else as_loaded_picture(noise[0], self._channels)
        )
        self._runner.run(image)

    def _of_volume(self, given: ModelInput) -> tuple[BundleOutput, SourceGrid]:
        if given.affine is None or given.voxels.ndim != 3:
            raise InferenceFailed(
                "the bundle takes grey volumes with geometry (input.kind: image for pictures)"
            )
        image, grid = as_loaded_volume(given.voxels, given.affine)
        return self._runner.run(image), grid

    def _of_picture(self, picture: NDArray[np.float32]) -> tuple[BundleOutput, SourceGrid]:
        image, grid = as_loaded_picture(picture, self._channels)
        return self._runner.run(image), grid


class BundleSegmenter(_BundleAdapter):
    """A bundle that gives a mask."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Outline one volume, or each of its slices alone."""
        if self._whole:
            parts = [self._outlined(*self._of_volume(volume))]
        else:
            parts = [self._outlined(*self._of_picture(picture)) for picture in volume.voxels]
        mask = np.concatenate([part.mask for part in parts])
        soft = [part.probability for part in parts if part.probability is not None]
        probability = np.concatenate(soft) if len(soft) == len(parts) else None
        return ModelOutput(confidence=_confidence(mask, probability), mask=mask, probability=probability)

    def _outlined(self, output: BundleOutput, grid: SourceGrid) -> Outlined:
        labels = self._manifest.adapter.parameters.get("labels")
        return outlined(output, grid, segments=len(self._manifest.segments), labels=labels)


class BundleClassifier(_BundleAdapter):
    """A bundle that gives one value for each class."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Classify a volume, or chosen slices and their whole."""
        described = self._manifest.classification
        if described is None:
            raise InferenceFailed("the manifest describes no classes")
        index: tuple[int, ...] = ()
        if self._whole:
            outputs = [self._of_volume(volume)[0]]
        else:
            cut = select_slices(volume.voxels, volume.affine, self._manifest.input.selection)
            outputs = [self._of_picture(cut.picture(volume.voxels, number))[0] for number in cut.index]
            index = cut.index if cut.is_acquired else ()
        single = np.stack([_probabilities(output, described) for output in outputs])
        series = summarise(described, single)
        return ModelOutput(
            confidence=series.verdict.confidence,
            classes={
                one.name: float(p) for one, p in zip(described.classes, series.probability, strict=True)
            },
            slice_probability=single if index else None,
            slice_index=index,
            facts={"agreement": series.agreement, "slices": float(len(single))},
        )


class BundleDetector(_BundleAdapter):
    """A bundle that gives boxes."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Find boxes in a volume, or in each of its slices."""
        found: list[DetectedBox] = []
        if self._whole:
            found += found_boxes(*self._of_volume(volume), self._manifest.detections)
        else:
            for number, picture in enumerate(volume.voxels):
                output, grid = self._of_picture(picture)
                found += found_boxes(output, grid, self._manifest.detections, first_slice=number)
        found.sort(key=lambda box: -box.score)
        confidence = found[0].score if found else 1.0
        return ModelOutput(confidence=confidence, detections=tuple(found))


def _confidence(mask: NDArray[np.uint8], probability: NDArray[np.float32] | None) -> float:
    """Mean probability of what was outlined; where nothing was, how improbable the likeliest voxel is."""
    if probability is None:
        return 1.0
    inside = probability[mask > 0]
    found = float(inside.mean()) if inside.size else 1.0 - float(probability.max(initial=0.0))
    return min(1.0, max(0.0, found))


def _probabilities(output: BundleOutput, described: ClassificationOutput) -> NDArray[np.float32]:
    values = torch.as_tensor(output.soft).float().reshape(-1).cpu()
    count = len(described.classes)
    if len(values) == 1 and count == 2:
        second = values if output.activated else torch.sigmoid(values)
        values = torch.cat([1 - second, second])
    elif len(values) != count:
        raise InferenceFailed(
            f"the bundle gives {len(values)} values, the manifest describes {count} classes"
        )
    elif not output.activated:
        many = described.mode == MULTI_LABEL
        values = torch.sigmoid(values) if many else torch.softmax(values / described.temperature, dim=0)
    if not torch.isfinite(values).all():
        raise InferenceFailed("the bundle gave values that are no numbers")
    if described.mode != MULTI_LABEL:
        values = values / values.sum().clamp(min=1e-6)
    return np.asarray(values.clamp(0, 1).numpy(), dtype=np.float32)
