"""What a model package's own code looks like to the node. It runs in the model process only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A volume; see `inference.preprocess.volume.Volume` for axes, units and affine."""

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What a model made of a volume, on the grid of its input.

    Attributes
    ----------
    mask
        uint8, 0 is background, else the number of the segment in the manifest.
    probability
        float32, 0 to 1.
    confidence
        0 to 1; the model card says what it means.
    facts
        Numbers that only the model knows, for the manifest's gates; they win over those that
        `inference.gates.measure` takes.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    confidence: float
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
