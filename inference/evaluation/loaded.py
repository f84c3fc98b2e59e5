"""A package's model in this process, by the code that serves it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inference.adapters.build import build_adapter
from inference.installed_files import check_sha256, find_weight
from inference.runner.adapter import ModelInput

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Adapter, ModelOutput


class LoadedModel:
    """Answers of a model without gates: what it would say of everything.

    Explanations are left out: they take longer than the answer.

    Raises
    ------
    InvalidModelPackage
        If its weights are not there, are others, or are code that nobody trusted.
    """

    def __init__(self, manifest: ModelManifest, device: str, trusted: Collection[str] = ()) -> None:
        weights = {}
        for weight in manifest.weights:
            path = find_weight(manifest, weight)
            check_sha256(path, weight.sha256)
            weights[weight.role] = path
        quiet = replace(manifest, explanation=None)
        self._adapter: Adapter = build_adapter(quiet, weights, device, trusted=trusted)

    def see_picture(self, picture: NDArray[np.float32]) -> ModelOutput:
        """Look at one picture, (rows, columns) or (rows, columns, 3)."""
        return self._adapter.predict(ModelInput(np.ascontiguousarray(picture[np.newaxis]), None))

    def see_volume(self, voxels: NDArray[np.float32], affine: NDArray[np.float64]) -> ModelOutput:
        """Look at one volume; see `inference.preprocess.volume.Volume`."""
        return self._adapter.predict(ModelInput(voxels, affine))
