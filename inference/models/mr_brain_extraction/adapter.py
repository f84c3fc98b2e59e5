"""deepbet's networks as a model of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fill_voids
import numpy as np

from inference.models.mr_brain_extraction.network import BrainNetworks, largest_component
from inference.preprocess.orientation import closest_axes
from inference.runner.adapter import ModelOutput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.runner.adapter import ModelInput

#: From this probability on a voxel is inside.
THRESHOLD = 0.5


class BrainExtraction:
    """Outlines the intracranial space."""

    def __init__(self, weights: Mapping[str, Path], device: str) -> None:
        self._networks = BrainNetworks(weights["box"], weights["mask"], device)

    def warm_up(self) -> None:
        """Let TorchScript compile on noise, which costs as much as a study."""
        rng = np.random.default_rng(0)
        self._networks.probability(rng.random((64, 64, 64), dtype=np.float32))

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Outline one head, and its mirror image for the confidence."""
        assert volume.affine is not None  # noqa: S101  the manifest takes volumes only
        order = closest_axes(volume.affine)
        head = order.turned(volume.voxels)
        probability = self._networks.probability(head)
        mask, largest = _outlined(probability)
        mirrored, _ = _outlined(self._networks.probability(head[::-1]))
        return ModelOutput(
            mask=np.ascontiguousarray(order.turned_back(mask)).astype(np.uint8),
            probability=np.ascontiguousarray(order.turned_back(probability)),
            confidence=_overlap(mask, mirrored[::-1]),
            facts={"largest_component": largest},
        )


def _outlined(probability: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float]:
    """The largest piece without holes, and its share of all that was found."""
    found = probability > THRESHOLD
    count = int(found.sum())
    if count == 0:
        return found, 0.0
    largest = largest_component(found)
    share = int(largest.sum()) / count
    return np.asarray(fill_voids.fill(largest)), share


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice overlap; 0 where either is empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0
