"""Outlines segments in pictures, slice by slice, or in volumes, at once or by a sliding window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.preprocess.grid import GridRules, prepare_grid
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.preprocess.slices import select_slices
from inference.runner.adapter import ModelOutput
from inference.tasks.activation import activate
from inference.tasks.batches import Batches
from inference.tasks.inputs import noise_input, shown_within
from inference.tasks.labelling import LabelRules, label
from inference.tasks.rules import TaskRules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.preprocess.picture import Placement
    from inference.preprocess.slices import Cut
    from inference.runner.adapter import LoadedNetwork, ModelInput
    from inference.tasks.windows import SlidingWindow


class SegmentationAdapter:
    """`inference.runner.adapter.Adapter` over a network that gives a channel for each segment.

    Raises
    ------
    InvalidModelPackage
        If the manifest's pre- or postprocessing makes no sense.
    """

    def __init__(self, manifest: ModelManifest, network: LoadedNetwork, device: str) -> None:  # noqa: ARG002
        if not manifest.segments:
            raise InvalidModelPackage("outputs: a segmenter needs `segments`")
        self._segments = len(manifest.segments)
        self._selection = manifest.input.selection
        self._rules = TaskRules.of(manifest)
        self._labels = LabelRules.of(manifest.adapter.postprocessing, self._segments)
        self._batches = Batches(network, self._rules.batch)
        self._picture = PictureRules.of(self._rules.image) if self._rules.flat else None
        self._grid = None if self._rules.flat else GridRules.of(self._rules.image)
        self._window: SlidingWindow | None = None
        if self._grid is not None and self._grid.patch is not None:
            # The library behind it takes seconds to load: only those wait for it that need it.
            from inference.tasks.windows import SlidingWindow

            self._window = SlidingWindow(self._grid.patch, self._grid.overlap, self._rules.batch)

    def warm_up(self) -> None:
        """Outline noise: a GPU compiles for the first image."""
        self.predict(noise_input())

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Outline one input.

        Raises
        ------
        InferenceFailed
            If the network's channels do not fit to the segments, or do not lie on its input.
        """
        voxels = shown_within(volume, self._rules.within)
        channels, background = (
            self._in_volume(voxels, volume.affine) if self._grid else self._in_slices(voxels, volume.affine)
        )
        voxel_ml = None
        if volume.affine is not None:
            voxel_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000
        found = label(channels, self._labels, background=background, voxel_ml=voxel_ml)
        return ModelOutput(
            confidence=found.confidence,
            mask=found.mask,
            probability=np.clip(found.probability, 0, 1),
            facts={"largest_component": found.largest_component},
        )

    def _in_volume(
        self, voxels: NDArray[np.float32], affine: NDArray[np.float64] | None
    ) -> tuple[Iterator[NDArray[np.float32]], bool]:
        assert self._grid is not None  # noqa: S101  a volume network
        image, placement = prepare_grid(voxels, affine, self._grid)
        values = self._values(image)
        if values.shape[2:] != image.shape[1:]:
            raise InferenceFailed(
                f"the network gives {values.shape[2:]} voxels for {image.shape[1:]}; they must be the same"
            )
        background = self._labels.has_background(values.shape[1], self._segments)
        probability = activate(values, self._labels.activation)[0]
        return (placement.to_source(channel) for channel in probability), background

    def _values(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """(1, channels, ...) for an image (channels, ...)."""
        name = self._labels.output
        if self._window is None:
            return self._batches.output(image[np.newaxis], name)
        return self._window.run(image, lambda patches: self._batches.output(patches, name))

    def _in_slices(
        self, voxels: NDArray[np.float32], affine: NDArray[np.float64] | None
    ) -> tuple[Iterator[NDArray[np.float32]], bool]:
        assert self._picture is not None  # noqa: S101  a network for pictures
        every = replace(self._selection, span=(0.0, 1.0), count=max(voxels.shape))
        cut = select_slices(voxels, affine, every)
        made = [prepare_picture(cut.picture(voxels, number), self._picture) for number in cut.index]
        values = self._batches.output(np.stack([image for image, _ in made]), self._labels.output)
        if values.ndim != 4:
            raise InferenceFailed(
                f"the network gives {values.ndim} axes; a segmenter gives (images, channels, rows, columns)"
            )
        background = self._labels.has_background(values.shape[1], self._segments)
        probability = activate(values, self._labels.activation)
        placements = [placement for _, placement in made]
        shape = cut.slices(voxels).shape[1:3]
        return (
            _on_source(cut, placements, probability[:, number], shape)
            for number in range(probability.shape[1])
        ), background


def _on_source(
    cut: Cut, placements: list[Placement], maps: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Maps over the pictures of all slices of a cut, on the grid of the input."""
    drawn = np.stack(
        [
            cut.unstretched(placement.to_source(one), shape)
            for placement, one in zip(placements, maps, strict=True)
        ]
    )
    return drawn if cut.is_acquired else np.ascontiguousarray(cut.order.turned_back(drawn))
