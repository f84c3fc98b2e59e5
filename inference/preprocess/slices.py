"""Chooses the slices of a volume that a model for single slices is shown, and cuts the volume for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from inference.preprocess.orientation import AxisOrder, closest_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.contract.inputs import SliceSelection

#: Where the axes of a cut run, (slices, rows, columns): as such pictures are shown, slices ascending in LPS.
CUTS = {"axial": "SPL", "coronal": "PIL", "sagittal": "LIP"}
_AS_ACQUIRED = AxisOrder((0, 1, 2), (False, False, False))
#: A slice is not air where this share of it, against the fullest slice, is brighter than `AIR_LEVEL`.
AIR_SHARE = 0.1
#: Brightness of what is not air, as a share of the way from the darkest to the brightest.
AIR_LEVEL = 0.1
#: The volume is looked at on about so many voxels along each axis.
_LOOK_AT = 96
#: Pixels that differ less than this from squares are left as they are.
_SQUARE = 1.02


@dataclass(frozen=True, slots=True)
class Cut:
    """Slices of a volume along one direction.

    Attributes
    ----------
    order
        How the volume is turned for it.
    index
        The chosen slices, ascending, along the turned volume's first axis.
    stretch
        What rows and columns are multiplied with to make the pixels square; 1 for both where they are.
    """

    order: AxisOrder
    index: tuple[int, ...]
    stretch: tuple[float, float]

    def slices(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """All slices of the cut, a view.

        Parameters
        ----------
        voxels
            (slices, rows, columns) or, in colour, (slices, rows, columns, 3).
        """
        return voxels if self.order == _AS_ACQUIRED else self.order.turned(voxels)

    def picture(self, voxels: NDArray[Any], number: int) -> NDArray[np.float32]:
        """One slice of the cut with square pixels, float32."""
        plane = np.ascontiguousarray(self.slices(voxels)[number], dtype=np.float32)
        if self.stretch == (1.0, 1.0):
            return plane
        rows, columns = (max(1, round(n * by)) for n, by in zip(plane.shape[:2], self.stretch, strict=True))
        return np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_LINEAR))

    def unstretched(self, values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Bring a map over `picture` to the pixels of the cut's slices, `shape` = (rows, columns)."""
        if values.shape == shape:
            return values
        return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))

    @property
    def is_acquired(self) -> bool:
        """Whether its slices are those of the volume, one by one."""
        return self.order == _AS_ACQUIRED


def select_slices(
    voxels: NDArray[np.float32], affine: NDArray[np.float64] | None, selection: SliceSelection
) -> Cut:
    """Choose slices as a manifest wants them.

    Parameters
    ----------
    voxels
        (slices, rows, columns) or (slices, rows, columns, 3), brighter is more.
    affine
        (slice, row, column, 1) to LPS, mm; `None` where the images have no place in the patient: they are
        taken as they are then.

    Raises
    ------
    InferenceFailed
        If the affine spans no space.
    """
    order = _order(affine, selection.orientation)
    grey = voxels if voxels.ndim == 3 else voxels.mean(axis=3)
    turned = grey if order == _AS_ACQUIRED else order.turned(grey)
    first, last = _not_air(turned) if selection.span != (0.0, 1.0) else (0, turned.shape[0] - 1)
    low, high = (first + share * (last - first) for share in selection.span)
    return Cut(order, _spread(low, high, selection.count), _stretch(affine, order))


def _order(affine: NDArray[np.float64] | None, orientation: str) -> AxisOrder:
    if affine is None or orientation not in CUTS:
        return _AS_ACQUIRED
    return closest_axes(affine, CUTS[orientation])


def _not_air(volume: NDArray[np.float32]) -> tuple[int, int]:
    """First and last slice that show more than air; all of them where nothing stands out."""
    steps = tuple(max(1, size // _LOOK_AT) for size in volume.shape[1:])
    seen = volume[:, :: steps[0], :: steps[1]]
    low, high = np.percentile(seen, (1, 99))
    full = (seen > low + AIR_LEVEL * (high - low)).mean(axis=(1, 2))
    there = np.flatnonzero(full > AIR_SHARE * full.max())
    return (int(there[0]), int(there[-1])) if there.size else (0, volume.shape[0] - 1)


def _spread(low: float, high: float, count: int) -> tuple[int, ...]:
    """At most `count` whole numbers, evenly from `low` to `high`; one lies in the middle."""
    first, last = round(low), round(high)
    if last - first + 1 <= count:
        return tuple(range(first, last + 1))
    if count == 1:
        return (round((low + high) / 2),)
    return tuple(int(x) for x in np.round(np.linspace(first, last, count)))


def _stretch(affine: NDArray[np.float64] | None, order: AxisOrder) -> tuple[float, float]:
    if affine is None:
        return 1.0, 1.0
    spacing = np.linalg.norm(affine[:3, :3], axis=0)[list(order.axes)]
    rows, columns = float(spacing[1]), float(spacing[2])
    finest = min(rows, columns)
    if max(rows, columns) < _SQUARE * finest:
        return 1.0, 1.0
    return rows / finest, columns / finest
