"""Finds things in pictures, slice by slice, or in volumes, and boxes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InvalidModelPackage
from inference.preprocess.grid import GridRules, prepare_grid
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.preprocess.slices import select_slices
from inference.runner.adapter import DetectedBox, ModelOutput
from inference.tasks.batches import Batches
from inference.tasks.boxes import suppress
from inference.tasks.detector_output import DetectorRules, Found, read_found
from inference.tasks.inputs import noise_input, shown_within
from inference.tasks.rules import TaskRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.preprocess.picture import Placement
    from inference.preprocess.slices import Cut
    from inference.runner.adapter import LoadedNetwork, ModelInput


class DetectionAdapter:
    """`inference.runner.adapter.Adapter` over a network that gives boxes, scores and labels for one image.

    Raises
    ------
    InvalidModelPackage
        If the manifest's pre- or postprocessing makes no sense.
    """

    def __init__(self, manifest: ModelManifest, network: LoadedNetwork, device: str) -> None:  # noqa: ARG002
        if not manifest.detections:
            raise InvalidModelPackage("outputs: a detector needs `detections`")
        self._categories = manifest.detections
        self._selection = manifest.input.selection
        self._task = TaskRules.of(manifest)
        self._rules = DetectorRules.of(manifest.adapter.postprocessing)
        self._shape = PictureRules.of(self._task.image) if self._task.flat else GridRules.of(self._task.image)
        # Each image has boxes of its own number: they cannot be stacked.
        self._network = Batches(network, 1)

    def warm_up(self) -> None:
        """Look at noise: a GPU compiles for the first image."""
        self.predict(noise_input())

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Box what is found in one input; boxes below the manifest's scores are left out.

        The confidence is the highest score of the boxes that are left; of none, that the surest of those
        that were left out is indeed nothing.

        Raises
        ------
        InferenceFailed
            If the network's output is not of the layout that the manifest describes.
        """
        voxels = shown_within(volume, self._task.within)
        seen = (
            self._in_volume(voxels, volume.affine, self._shape)
            if isinstance(self._shape, GridRules)
            else self._in_slices(voxels, volume.affine, self._shape)
        )
        boxes: list[DetectedBox] = []
        left_out = 0.0
        least = np.array([one.min_score for one in self._categories])
        for found in seen:
            shown = found.scores >= least[found.kinds]
            left_out = max(left_out, float(found.scores[~shown].max(initial=0)))
            kept = np.flatnonzero(shown)
            kept = kept[suppress(found.boxes[kept], found.scores[kept], found.kinds[kept], self._rules.nms)]
            boxes += [self._box(found, int(index)) for index in kept]
        boxes = sorted((box for box in boxes if _has_size(box)), key=lambda box: -box.score)
        confidence = boxes[0].score if boxes else 1 - left_out
        return ModelOutput(confidence=confidence, detections=tuple(boxes))

    def _box(self, found: Found, index: int) -> DetectedBox:
        first, second, third, fourth, fifth, sixth = (float(edge) for edge in found.boxes[index])
        name = self._categories[int(found.kinds[index])].name
        return DetectedBox(name, float(found.scores[index]), (first, second, third, fourth, fifth, sixth))

    def _in_volume(
        self, voxels: NDArray[np.float32], affine: NDArray[np.float64] | None, rules: GridRules
    ) -> Iterator[Found]:
        image, placement = prepare_grid(voxels, affine, rules)
        found = read_found(
            self._network.outputs(image[np.newaxis]), self._rules, image.shape[1:], len(self._categories)
        )
        yield replace(found, boxes=placement.boxes_to_source(found.boxes))

    def _in_slices(
        self, voxels: NDArray[np.float32], affine: NDArray[np.float64] | None, rules: PictureRules
    ) -> Iterator[Found]:
        every = replace(self._selection, count=max(voxels.shape))
        cut = select_slices(voxels, affine, every)
        shape = cut.slices(voxels).shape[:3]
        for number in cut.index:
            image, placement = prepare_picture(cut.picture(voxels, number), rules)
            outputs = self._network.outputs(image[np.newaxis])
            found = read_found(outputs, self._rules, image.shape[1:], len(self._categories))
            yield replace(found, boxes=_in_source(found.boxes, number, cut, placement, shape))


def _in_source(
    boxes: NDArray[np.float64], number: int, cut: Cut, placement: Placement, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Edges on the network's grid over one slice of a cut, as edges in the input."""
    top, left, height, width = placement.box
    scale = np.array([height / placement.size[0], width / placement.size[1]])
    stretch = np.array(shape[1:]) / np.array(placement.shape)
    offset = np.array([top, left])
    begin, end = ((boxes[:, edges] * scale + offset) * stretch for edges in (slice(0, 2), slice(2, 4)))
    limit = np.array(shape[1:])
    begin, end = np.clip(begin, 0, limit), np.clip(end, 0, limit)
    slices = np.full((len(boxes), 1), float(number))
    return cut.order.edges_back(
        np.concatenate([slices, begin], axis=1), np.concatenate([slices + 1, end], axis=1), shape
    )


def _has_size(box: DetectedBox) -> bool:
    return all(begin < end for begin, end in zip(box.box[:3], box.box[3:], strict=True))
