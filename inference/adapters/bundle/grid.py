"""Between the node's volumes and the images that a bundle's loader would have made.

A bundle sees what a NIfTI file of the series would give: axes (columns, rows, slices), an affine to
right-anterior-superior. A picture is what a PNG file would give: (columns, rows[, channels]).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from monai.data import MetaTensor
from scipy.ndimage import affine_transform

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: From (column, row, slice) to (slice, row, column).
_REVERSED = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
#: Differences of two affines that are only rounding, mm.
_SAME_PLACE = 1e-3


@dataclass(frozen=True, slots=True)
class SourceGrid:
    """The grid that results must come back to.

    Attributes
    ----------
    shape
        (slices, rows, columns).
    affine
        4x4, (column, row, slice, 1) to RAS, mm; of pictures without geometry the unit matrix.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def back(self, values: torch.Tensor, *, nearest: bool) -> NDArray[np.float32]:
        """A result of the bundle, channels first, on this grid: float32 (channels, slices, rows, columns).

        A result on another grid is looked up by the affine that it carries.

        Raises
        ------
        InferenceFailed
            If it is on another grid and carries no affine.
        """
        affine = _affine(values)
        array = np.asarray(torch.as_tensor(values).detach().float().cpu())
        if array.ndim == 3:
            array = array[..., np.newaxis]
        if array.ndim != 4:
            raise InferenceFailed(f"the bundle's result has {array.ndim} axes; channels and space are needed")
        wanted = self.shape[::-1]
        if array.shape[1:] != wanted or not _same(affine, self.affine):
            if affine is None:
                raise InferenceFailed("the bundle's result lies on another grid and does not say where")
            array = np.stack([self._looked_up(one, affine, nearest=nearest) for one in array])
        return np.ascontiguousarray(array.transpose(0, 3, 2, 1), dtype=np.float32)

    def box(
        self, corners: NDArray[np.float64], affine: NDArray[np.float64]
    ) -> tuple[float, float, float, float, float, float]:
        """A box of voxel centres of another grid as edges in this one: slice, row, column, from and to.

        Parameters
        ----------
        corners
            (2, 3): first and last corner, in voxel indices of the grid with `affine`.
        """
        both = [[x, y, z, 1.0] for x in corners[:, 0] for y in corners[:, 1] for z in corners[:, 2]]
        here = (np.linalg.inv(self.affine) @ affine @ np.array(both).T)[:3] + 0.5
        low = np.clip(here.min(axis=1), 0, self.shape[::-1])[::-1]
        high = np.clip(here.max(axis=1), 0, self.shape[::-1])[::-1]
        z, y, x = (float(value) for value in low)
        to_z, to_y, to_x = (float(value) for value in high)
        return z, y, x, to_z, to_y, to_x

    def _looked_up(
        self, values: NDArray[np.float32], affine: NDArray[np.float64], *, nearest: bool
    ) -> NDArray[np.float32]:
        matrix = np.linalg.inv(affine) @ self.affine
        return np.asarray(
            affine_transform(
                values,
                matrix[:3, :3],
                matrix[:3, 3],
                self.shape[::-1],
                order=0 if nearest else 1,
                mode="constant",
            )
        )


def as_loaded_volume(
    voxels: NDArray[np.float32], affine: NDArray[np.float64]
) -> tuple[MetaTensor, SourceGrid]:
    """A volume as a bundle's loader would give it.

    Parameters
    ----------
    voxels
        (slices, rows, columns).
    affine
        4x4, (slice, row, column, 1) to LPS, mm.
    """
    to_ras = _LPS_TO_RAS @ affine @ _REVERSED
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    return _tensor(voxels.transpose(2, 1, 0), to_ras), SourceGrid(shape, to_ras)


def as_loaded_picture(picture: NDArray[np.float32], channels: int | None) -> tuple[MetaTensor, SourceGrid]:
    """A picture (rows, columns[, 3]) as a bundle's loader would give it; grey thrice for three channels."""
    if picture.ndim == 2 and channels == 3:
        picture = np.repeat(picture[..., np.newaxis], 3, axis=2)
    grid = SourceGrid((1, picture.shape[0], picture.shape[1]), np.eye(4))
    return _tensor(np.moveaxis(picture, 0, 1), np.eye(4)), grid


def _tensor(array: NDArray[np.float32], affine: NDArray[np.float64]) -> MetaTensor:
    colour = array.ndim == 3 and array.shape[2] == 3 and np.array_equal(affine, np.eye(4))
    spatial = array.shape[:2] if colour else array.shape
    meta: dict[str, Any] = {
        "original_channel_dim": -1 if colour else float("nan"),
        "spatial_shape": np.array(spatial),
        "original_affine": affine.copy(),
        "space": "RAS",
        "filename_or_obj": "series",
    }
    loaded = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return MetaTensor(loaded, affine=torch.from_numpy(affine.copy()), meta=meta)


def _affine(values: torch.Tensor) -> NDArray[np.float64] | None:
    if not isinstance(values, MetaTensor):
        return None
    affine = np.asarray(values.affine, dtype=np.float64)
    full = np.eye(4)
    # Two-dimensional images may carry a 3x3 matrix.
    space = affine.shape[0] - 1
    full[:space, :space] = affine[:space, :space]
    full[:space, 3] = affine[:space, space]
    return full


def _same(one: NDArray[np.float64] | None, other: NDArray[np.float64]) -> bool:
    return one is None or bool(np.allclose(one, other, atol=_SAME_PLACE))
