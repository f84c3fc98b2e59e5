"""The two networks of deepbet 1.0.2, fed as their authors fed them.

The first network finds the head's brain on a coarse grid; the second one outlines it inside that box.

References
----------
Fisch et al., Comput Biol Med 2024, https://doi.org/10.1016/j.compbiomed.2024.108845
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cc3d
import numpy as np
import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Grids of the two networks; the image is stretched to them whatever its voxels' size.
COARSE_GRID = (128, 128, 128)
FINE_GRID = (256, 256, 256)
#: What is added to the box on each side, as a share of its size.
BOX_MARGIN = 0.1
#: A plane of the coarse mask belongs to the box where more than this share of it is brain.
BOX_OCCUPANCY = 0.02
#: Intensities are cut at these quantiles.
LOW_QUANTILE, HIGH_QUANTILE = 0.005, 0.995
#: Deviation and mean of the intensities that the networks were trained with.
TRAINED_DEVIATION, TRAINED_MEAN = 0.226, 0.449


class BrainNetworks:
    """Both networks, ready on a device."""

    def __init__(self, box: Path, mask: Path, device: str) -> None:
        self._device = torch.device(device)
        self._box = torch.jit.load(str(box), map_location=self._device).eval()
        self._mask = torch.jit.load(str(mask), map_location=self._device).eval()

    def probability(self, voxels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each voxel to lie inside the skull.

        Parameters
        ----------
        voxels
            float32; axes run right, anterior, superior.

        Returns
        -------
        NDArray
            float32 of the same shape; all 0 where no brain was found.
        """
        with torch.inference_mode():
            image = torch.nan_to_num(torch.from_numpy(np.ascontiguousarray(voxels)).to(self._device))
            result = torch.zeros_like(image)
            coarse = _resampled(image, COARSE_GRID)
            low, high = coarse.quantile(LOW_QUANTILE), coarse.quantile(HIGH_QUANTILE)
            if not high > low:
                return _array(result)
            found = self._box(_normalised(coarse, low, high))[0, 1] > 0.5
            box = _box(found.cpu().numpy(), voxels.shape)
            if box is None:
                return _array(result)
            fine = self._mask(_normalised(_resampled(image[box], FINE_GRID), low, high))[0, 1]
            result[box] = _resampled(fine, tuple(result[box].shape))
            return _array(result)


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float32)


def _resampled(image: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    return interpolate(image[None, None], shape, mode="nearest-exact")[0, 0]


def _normalised(image: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    scaled = ((image - low) / (high - low)).clamp(0, 1)
    return (TRAINED_DEVIATION * (scaled - scaled.mean()) / scaled.std() + TRAINED_MEAN)[None, None]


def _box(found: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """The box of the largest piece of a coarse mask, in voxels of a volume of `shape`, with margin."""
    largest = largest_component(found)
    box = []
    for axis, size in enumerate(shape):
        occupied = largest.mean(axis=tuple(other for other in range(3) if other != axis)) > BOX_OCCUPANCY
        planes = np.flatnonzero(occupied)
        if planes.size == 0:
            return None
        scale = size / found.shape[axis]
        first, end = float(planes[0]), float(planes[-1] + 1)
        center = round(scale * (first + end) / 2)
        length = round((1 + 2 * BOX_MARGIN) * scale * (end - first))
        box.append(slice(max(0, int(center - length / 2)), min(size, int(center + length / 2))))
    return tuple(box)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest of a mask's pieces (26-connected); empty where the mask is."""
    labels, count = cc3d.largest_k(np.ascontiguousarray(mask), k=1, connectivity=26, return_N=True)
    return np.asarray(labels > 0) if count else np.zeros_like(mask)
