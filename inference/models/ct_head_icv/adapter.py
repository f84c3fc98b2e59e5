"""The inside of the skull as a model of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.models.ct_head_icv.cavity import find_cavity
from inference.preprocess.orientation import closest_axes
from inference.preprocess.upright import upright_grid
from inference.runner.adapter import ModelOutput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inference.runner.adapter import ModelInput

_AIR_HU = -1024.0


class IntracranialVolume:
    """Outlines what bone encloses."""

    def __init__(self, weights: Mapping[str, Path], device: str) -> None:
        """There is nothing to load."""

    def warm_up(self) -> None:
        """Nothing is compiled."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Outline one head; a tilted gantry's slices are made upright first, and the mask returns to them."""
        assert volume.affine is not None  # noqa: S101  the manifest takes volumes only
        slices, rows, columns = volume.voxels.shape
        grid = upright_grid(volume.affine, (slices, rows, columns))
        order = closest_axes(grid.affine, "RAS")
        lengths = np.linalg.norm(grid.affine[:3, :3], axis=0)
        first, second, third = (float(lengths[axis]) for axis in order.axes)
        head = order.turned(grid.straighten(volume.voxels, _AIR_HU))
        cavity = find_cavity(head, (first, second, third))
        mask = grid.back(np.ascontiguousarray(order.turned_back(cavity.mask))).astype(np.uint8)
        return ModelOutput(confidence=cavity.walled, mask=mask, facts={"walled": cavity.walled})
