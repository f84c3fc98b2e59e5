"""Takes the tilt out of a stack whose slices are not perpendicular to its direction (CT gantry tilt)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Upright:
    """A stack whose slices were moved within their planes by whole pixels, so that it stands upright.

    Nothing is interpolated, so that every voxel of the source is one of these and a mask returns exactly;
    a voxel lies up to half a pixel off its true place.

    Attributes
    ----------
    affine
        Of the upright voxels, its axes perpendicular: (slice, row, column, 1) to LPS, mm.
    offsets
        Row and column of each slice at which the source's slice begins.
    source_shape
        Slices, rows and columns of the source.
    """

    affine: NDArray[np.float64]
    offsets: NDArray[np.int64]
    source_shape: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the upright stack: wide enough for every slice."""
        rows, columns = self.offsets.max(axis=0)
        slices, *matrix = self.source_shape
        return slices, matrix[0] + int(rows), matrix[1] + int(columns)

    def straighten(self, voxels: NDArray[T], fill: float | None = None) -> NDArray[T]:
        """The upright stack of source voxels; around them is `fill`, or the smallest value."""
        upright = np.full(self.shape, voxels.min() if fill is None else fill, dtype=voxels.dtype)
        for index, (row, column) in enumerate(self.offsets):
            rows, columns = voxels.shape[1:]
            upright[index, row : row + rows, column : column + columns] = voxels[index]
        return upright

    def back(self, array: NDArray[T]) -> NDArray[T]:
        """What was found on the upright stack, on the source's voxels: the inverse of `straighten`."""
        rows, columns = self.source_shape[1:]
        return np.stack(
            [
                array[index, row : row + rows, column : column + columns]
                for index, (row, column) in enumerate(self.offsets)
            ]
        )


def upright_grid(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Upright:
    """How a stack with this affine (voxel index to LPS, mm) is made upright; without tilt nothing moves."""
    step, down, along = (affine[:3, axis] for axis in range(3))
    normal = np.cross(along, down)
    normal /= np.linalg.norm(normal)
    # How far the slices run sideways within their own plane, in pixels a slice.
    sideways = np.array([step @ down / (down @ down), step @ along / (along @ along)])
    moves = np.rint(np.arange(shape[0])[:, np.newaxis] * sideways).astype(np.int64)
    first = moves.min(axis=0)
    upright = affine.copy()
    upright[:3, 0] = (step @ normal) * normal
    upright[:3, 3] += first[0] * down + first[1] * along
    return Upright(upright, moves - first, shape)
