"""Lung volume and density as a model of the node."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from inference.models.ct_chest_density.lungs import density_facts, find_lungs, low_density_map
from inference.preprocess.anatomical import anatomical_view
from inference.runner.adapter import ModelOutput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.runner.adapter import ModelInput

_AIR_HU = -1024.0


class ChestDensity:
    """Outlines the lungs and measures them."""

    def __init__(self, weights: Mapping[str, Path], device: str) -> None:
        """There is nothing to load."""

    def warm_up(self) -> None:
        """Nothing is compiled."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Measure one chest; the mask has the right lung as 1 and the left one as 2."""
        assert volume.affine is not None  # noqa: S101  the manifest takes volumes only
        slices, rows, columns = volume.voxels.shape
        view = anatomical_view(volume.affine, (slices, rows, columns))
        chest = view.seen(volume.voxels, _AIR_HU)
        lungs = find_lungs(chest, view.spacing)
        sides = _sides(lungs)
        voxel_ml = math.prod(view.spacing) / 1000
        facts = density_facts(chest, lungs, voxel_ml)
        facts |= {
            "right_ml": int((sides == 1).sum()) * voxel_ml,
            "left_ml": int((sides == 2).sum()) * voxel_ml,
        }
        larger = max(facts["right_ml"], facts["left_ml"])
        balance = min(facts["right_ml"], facts["left_ml"]) / larger if larger else 0.0
        low = low_density_map(chest, lungs, view.spacing)
        return ModelOutput(
            confidence=_airiness(chest, lungs),
            mask=view.back(sides),
            maps={"laa950_local": view.back(low)},
            facts={**facts, "balance": balance},
        )


def _sides(lungs: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 right and 2 left of the middle of the lungs; the first axis runs to the right."""
    sides = lungs.astype(np.uint8)
    columns = np.flatnonzero(lungs.any(axis=(1, 2)))
    if columns.size:
        counts = lungs.sum(axis=(1, 2))[columns[0] : columns[-1] + 1].astype(np.float64)
        middle = counts.size // 4 + int(np.argmin(counts[counts.size // 4 : -(counts.size // 4) or None]))
        sides[: columns[0] + middle] *= 2
    return sides


def _airiness(chest: NDArray[np.float32], lungs: NDArray[np.bool_]) -> float:
    """Share of the lungs that is as dark as inflated lung is."""
    values = chest[lungs]
    return float((values < -600).mean()) if values.size else 0.0
