"""The inside of the skull as a model of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.models.ct_head_icv.cavity import find_cavity
from inference.preprocess.anatomical import anatomical_view
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
        view = anatomical_view(volume.affine, (slices, rows, columns))
        cavity = find_cavity(view.seen(volume.voxels, _AIR_HU), view.spacing)
        mask = view.back(cavity.mask).astype(np.uint8)
        return ModelOutput(confidence=cavity.walled, mask=mask, facts={"walled": cavity.walled})
