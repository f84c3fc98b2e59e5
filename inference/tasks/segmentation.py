"""Outlines segments in pictures, slice by slice, or in volumes, at once or by a sliding window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.preprocess.grid import GridRules, prepare_grid
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.preprocess.slices import select_slices
from inference.runner.adapter import ModelOutput
from inference.tasks.activation import activate
from inference.tasks.batches import Batches, chosen
from inference.tasks.inputs import noise_input, shown_within
from inference.tasks.labelling import LabelRules, label
from inference.tasks.rules import TaskRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.preprocess.picture import Placement
    from inference.preprocess.slices import Cut
    from inference.runner.adapter import LoadedNetwork, ModelInput
    from inference.tasks.windows import SlidingWindow


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the network is shown of an input.

    Attributes
    ----------
    images
        (n, channels, ...): all pictures, or the one volume.
    to_source
        Brings a map over the images, (n, ...), to the grid of the input.
    """

    affine: NDArray[np.float64] | None
    images: NDArray[np.float32]
    to_source: Callable[[NDArray[np.float32]], NDArray[np.float32]]


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
        """Outline one input; see `predict_batch`."""
        return next(self.predict_batch((volume,)))

    def predict_batch(self, volumes: Iterable[ModelInput]) -> Iterator[ModelOutput]:
        """Outline each input; their images share batches, but a sliding window sees one volume at a time.

        Raises
        ------
        InferenceFailed
            If the network's channels do not fit to the segments, or do not lie on its input.
        """
        for shown, values in self._values(self._shown(volume) for volume in volumes):
            yield self._outlined(shown, values)

    def _shown(self, volume: ModelInput) -> _Shown:
        voxels = shown_within(volume, self._rules.within)
        if self._grid is not None:
            image, placement = prepare_grid(voxels, volume.affine, self._grid)
            return _Shown(volume.affine, image[np.newaxis], lambda maps: placement.to_source(maps[0]))
        assert self._picture is not None  # noqa: S101  a network for pictures
        every = replace(self._selection, span=(0.0, 1.0), count=max(voxels.shape))
        cut = select_slices(voxels, volume.affine, every)
        made = [prepare_picture(cut.picture(voxels, number), self._picture) for number in cut.index]
        placements = [placement for _, placement in made]
        shape = cut.slices(voxels).shape[1:3]
        return _Shown(
            volume.affine,
            np.stack([image for image, _ in made]),
            lambda maps: _on_source(cut, placements, maps, shape),
        )

    def _values(self, inputs: Iterable[_Shown]) -> Iterator[tuple[_Shown, NDArray[np.float32]]]:
        """The network's output (n, channels, ...) for the images of each input."""
        name = self._labels.output
        if self._window is None:
            for shown, outputs in self._batches.each((one.images, one) for one in inputs):
                yield shown, chosen(outputs, name)
            return
        for shown in inputs:
            yield (
                shown,
                self._window.run(shown.images[0], lambda patches: self._batches.output(patches, name)),
            )

    def _outlined(self, shown: _Shown, values: NDArray[np.float32]) -> ModelOutput:
        if values.ndim != shown.images.ndim:
            raise InferenceFailed(
                f"the network gives {values.ndim} axes; a segmenter gives (images, channels, rows, columns),"
                " or (1, channels, ...) of a volume"
            )
        if self._grid is not None and values.shape[2:] != shown.images.shape[2:]:
            raise InferenceFailed(
                f"the network gives {values.shape[2:]} voxels for {shown.images.shape[2:]}; they must be the"
                " same"
            )
        background = self._labels.has_background(values.shape[1], self._segments)
        probability = activate(values, self._labels.activation)
        channels = (shown.to_source(probability[:, number]) for number in range(probability.shape[1]))
        voxel_ml = None
        if shown.affine is not None:
            voxel_ml = abs(float(np.linalg.det(shown.affine[:3, :3]))) / 1000
        found = label(channels, self._labels, background=background, voxel_ml=voxel_ml)
        return ModelOutput(
            confidence=found.confidence,
            mask=found.mask,
            probability=np.clip(found.probability, 0, 1),
            facts={"largest_component": found.largest_component},
        )


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
