"""A head on a grid along the patient's axes, and its surface as seen from the front.

All coordinates are LPS in mm: x to the left, y to the back, z to the top of the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

#: Spacing of the grid, mm: fine enough for a nose, coarse enough to be quick.
GRID_MM: Final = 2.0
#: How far behind its foremost point the brain's edge still is the front of the frontal lobes, mm.
_FRONT_MM: Final = 10.0
#: Points of the grid so near to the edge of the image show its edge, not a surface.
_EDGE_POINTS: Final = 3
#: The face: this far to each side of the brain's middle, and this far down from the frontal lobes, mm.
FACE_HALF_WIDTH_MM, FACE_HEIGHT_MM = 45.0, 90.0
#: How far down the eyes reach from the lower edge of the frontal lobes, mm.
EYES_HEIGHT_MM: Final = 30.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of a regular grid along the patient's axes that covers a volume.

    Attributes
    ----------
    x, y, z
        Coordinates along each axis, ascending.
    nearest
        (x, y, z): place of the nearest voxel in the flattened volume, -1 outside of it.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    nearest: NDArray[np.int64]

    @classmethod
    def over(cls, shape: tuple[int, ...], affine: NDArray[np.float64]) -> Grid:
        """The grid that covers a volume of this shape."""
        ends = np.array(np.meshgrid(*[(-0.5, size - 0.5) for size in shape])).reshape(3, -1).T
        corners = ends @ affine[:3, :3].T + affine[:3, 3]
        low, high = corners.min(axis=0), corners.max(axis=0)
        x, y, z = (np.arange(a + GRID_MM / 2, b, GRID_MM) for a, b in zip(low, high, strict=True))
        nearest = np.zeros((x.size, y.size, z.size), dtype=np.int64)
        inside = np.ones(nearest.shape, dtype=bool)
        for size, (a, b, c, d) in zip(shape, np.linalg.inv(affine)[:3], strict=True):
            place = np.rint(
                (a * x + d)[:, None, None] + (b * y)[None, :, None] + (c * z)[None, None, :]
            ).astype(np.int64)
            inside &= (place >= 0) & (place < size)
            nearest *= size
            nearest += place
        nearest[~inside] = -1
        return cls(x, y, z, nearest)

    def sample(self, voxels: NDArray[T]) -> NDArray[T]:
        """The nearest voxel of (slices, rows, columns) at each point, 0 outside of the volume; (x, y, z)."""
        values = voxels.reshape(-1)[self.nearest]
        values[self.nearest < 0] = 0
        return values


@dataclass(frozen=True, slots=True)
class Face:
    """Where the face lies, as the brain tells.

    Attributes
    ----------
    middle_x
        The brain's middle.
    brow_z
        Lower edge of the front of the frontal lobes; the eyes lie below.
    """

    middle_x: float
    brow_z: float

    def columns(self, grid: Grid, height: float = FACE_HEIGHT_MM) -> NDArray[np.bool_]:
        """Lines of sight that meet the face, from the brow down; (x, z)."""
        across = np.abs(grid.x - self.middle_x) <= FACE_HALF_WIDTH_MM
        down = (grid.z <= self.brow_z) & (grid.z >= self.brow_z - height)
        return np.asarray(across[:, None] & down[None, :])


def find_face(brain: NDArray[np.bool_], grid: Grid) -> Face:
    """Where the face must be; `brain` (x, y, z) is not empty."""
    profile = brain.any(axis=0)
    front = np.where(profile.any(axis=0), grid.y[profile.argmax(axis=0)], np.inf)
    lowest = int(np.flatnonzero(front <= front.min() + _FRONT_MM)[0])
    weights = brain.sum(axis=(1, 2))
    return Face(float(np.average(grid.x, weights=weights)), float(grid.z[lowest]))


def head_of(voxels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """What is head and not air: bright enough, and in one piece in each sagittal slice.

    Parameters
    ----------
    voxels
        (x, y, z) of a grid; brighter is more, air is dark.
    """
    import cv2

    low, high = (float(value) for value in np.percentile(voxels, (1, 99.5)))
    if not high > low:
        return np.zeros(voxels.shape, dtype=bool)
    levels = np.clip((voxels - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # Half of what parts air from tissue: skin is darker than fat and brain.
    return main_pieces(levels > otsu / 2)


def main_pieces(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of each sagittal slice (x, y, z), without what hangs on by a thread."""
    import cv2

    result = np.zeros(found.shape, dtype=bool)
    kernel = np.ones((2, 2), np.uint8)
    for index, plane in enumerate(found):
        thinner = cv2.erode(plane.astype(np.uint8), kernel, anchor=(0, 0))
        opened = cv2.dilate(thinner, kernel, anchor=(1, 1))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
        if count > 1:
            result[index] = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return result


def front_of(head: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Where each line of sight from the front meets the head: y by (x, z).

    NaN where it meets nothing, or the head only where the edge of the image cuts it.
    """
    inner = grid.nearest >= 0
    for _ in range(_EDGE_POINTS):
        inner = eroded(inner)
    first = head.argmax(axis=1)
    x, z = np.indices(first.shape)
    return np.where(head.any(axis=1) & inner[x, first, z], grid.y[first], np.nan)


def eroded(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the points that have a neighbour outside."""
    padded = np.pad(found, 1)
    kept = found.copy()
    for axis in range(3):
        for start in (0, 2):
            window = [slice(1, -1)] * 3
            window[axis] = slice(start, start + found.shape[axis])
            kept &= padded[tuple(window)]
    return kept
