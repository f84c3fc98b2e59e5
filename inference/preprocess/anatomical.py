"""A volume as computed models see it: upright, its axes to the right, to the front and up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from inference.preprocess.orientation import AxisOrder, closest_axes
from inference.preprocess.upright import Upright, upright_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class AnatomicalView:
    """How the voxels of a source are seen along right, anterior, superior; nothing is interpolated.

    Attributes
    ----------
    grid
        Takes the tilt out.
    order
        Turns the upright stack.
    spacing
        Of the view's axes, mm.
    """

    grid: Upright
    order: AxisOrder
    spacing: tuple[float, float, float]

    def seen(self, voxels: NDArray[T], fill: float) -> NDArray[T]:
        """The source's voxels (slices, rows, columns) in the view; where it has none is `fill`."""
        return self.order.turned(self.grid.straighten(voxels, fill))

    def back(self, array: NDArray[T]) -> NDArray[T]:
        """What was found in the view, on the source's voxels."""
        return self.grid.back(np.ascontiguousarray(self.order.turned_back(array)))


def anatomical_view(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> AnatomicalView:
    """The view of a stack with this affine (voxel index to LPS, mm) and shape (slices, rows, columns)."""
    grid = upright_grid(affine, shape)
    order = closest_axes(grid.affine, "RAS")
    lengths = np.linalg.norm(grid.affine[:3, :3], axis=0)
    first, second, third = (float(lengths[axis]) for axis in order.axes)
    return AnatomicalView(grid, order, (first, second, third))
