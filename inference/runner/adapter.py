"""What a model package's own code looks like to the node. It runs in the model process only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A volume, chosen slices of one, or single images.

    Attributes
    ----------
    voxels
        float32 (slices, rows, columns) in modality units, brighter is more; of colour images
        (slices, rows, columns, 3), 0 to 255.
    affine
        float64 4x4: (slice, row, column, 1) to LPS, mm, as in `inference.preprocess.volume.Volume`. `None`
        where the images have no place in the patient.
    feeds
        Arrays of the predictions that the manifest `requires`, by `<model>.<array>`, on the grid of `voxels`.
    """

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    feeds: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectedBox:
    """A box of a detector: `name` of the manifest's category, score, and edges in voxels of the input.

    `box` is (slice, row, column) where it begins, then where it ends; the first voxel reaches from 0 to 1.
    """

    name: str
    score: float
    box: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Heat:
    """What speaks for a class, drawn over some slices of the input.

    Attributes
    ----------
    values
        float32 (n, rows, columns), 0 to 1; more speaks more for the class.
    slices
        The slice of the input that each lies over.
    method
        For people: "Grad-CAM", say.
    target
        The class's name in the manifest.
    """

    values: NDArray[np.float32]
    slices: tuple[int, ...]
    method: str
    target: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What a model made of its input, on the input's grid; each part where the task has it.

    Attributes
    ----------
    confidence
        0 to 1; the model card says what it means.
    mask
        uint8 (slices, rows, columns), 0 is background, else the number of the segment in the manifest.
    probability
        float32 of the same shape, 0 to 1.
    classes
        Probability of each class of the manifest, for the whole input.
    slice_probability
        float32 (k, classes): what was said of single slices, in the manifest's order of classes;
        `slice_index` names them.
    detections
        Boxes, the surest first.
    maps
        float32 of the input's shape by the manifest's name of the map.
    facts
        Numbers that only the model knows, for gates, measurements and the label; they win over those that
        `inference.gates.measure` takes.
    """

    confidence: float
    mask: NDArray[np.uint8] | None = None
    probability: NDArray[np.float32] | None = None
    classes: Mapping[str, float] = field(default_factory=dict)
    slice_probability: NDArray[np.float32] | None = None
    slice_index: tuple[int, ...] = ()
    detections: tuple[DetectedBox, ...] = ()
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    heat: Heat | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


class Adapter(Protocol):
    """A loaded model."""

    def __init__(self, weights: Mapping[str, Path], device: str) -> None:
        """Load the weights.

        Parameters
        ----------
        weights
            Checked files by their role in the manifest.
        device
            `cpu` or `cuda`.
        """

    def warm_up(self) -> None:
        """Run once on something small; called on a device that compiles for the first study."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Work on one volume."""


@runtime_checkable
class BatchAdapter(Protocol):
    """What an `Adapter` is besides, that gains from several series of a study at once. None has to be."""

    def predict_batch(self, volumes: Iterable[ModelInput]) -> Iterable[ModelOutput]:
        """Work on several inputs; an output for each, in their order, the same as `predict` gives.

        Inputs are read when they are asked for, and outputs are written when they come: an adapter that is a
        generator and asks for no more inputs than it works on keeps few of them in memory.
        """


def outputs_of(adapter: Adapter, volumes: Iterable[ModelInput]) -> Iterator[ModelOutput]:
    """An output for each input, in their order; together where the adapter can."""
    if isinstance(adapter, BatchAdapter):
        return iter(adapter.predict_batch(volumes))
    return map(adapter.predict, volumes)


class LoadedNetwork(Protocol):
    """A network of whatever format, as the tasks of `inference.tasks` call it."""

    @property
    def module(self) -> object | None:
        """The `torch.nn.Module` that gradients can be taken through, or `None` (ONNX)."""

    def __call__(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Outputs by name (a network with one output names it `output`) for a batch (n, channels, ...)."""
