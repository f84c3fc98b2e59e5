"""The cranial cavity in CT of the head, by the bone around it. Experimental: tried on one head only.

What bone does not enclose (skull base, holes of an operation) is missing from the mask; the plane rests on
the convex hull of the profile, which spans gaps between slices, but not below the lowest closed ring.

References
----------
PS3.3 §C.11.1 (Hounsfield units).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

from anonymizer.faces.surface import GRID_MM, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Bone is denser, HU.
_BONE_HU: Final = 150.0
#: What fills the cavity: fluid, brain and blood, HU.
_SOFT_HU: Final = (-30.0, 150.0)
#: Gaps in a ring of bone that are bridged, and necks of leaks that are cut, mm.
_BRIDGED_MM, _NECK_MM = 12.0, 8.0
#: Smaller pieces of a slice are none of the cavity, mm2.
_PIECE_MM2: Final = 1500.0


def cranial_cavity(voxels: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A `BrainMask` for CT: what bone encloses in slices across the body, with gaps between them filled.

    Parameters
    ----------
    voxels
        HU, (slices, rows, columns).
    affine
        Voxel index to LPS, mm.
    """
    grid = Grid.over(voxels.shape, affine)
    sampled = grid.sample(voxels)
    sampled[grid.nearest < 0] = -1000
    cavity = np.stack([_enclosed(sampled[:, :, z]) for z in range(grid.z.size)], axis=2)
    return _at_voxels(_without_gaps(cavity), grid, voxels.shape, affine)


def _enclosed(plane: NDArray[np.float32]) -> NDArray[np.bool_]:
    import cv2

    margin = int(_BRIDGED_MM / GRID_MM)
    bone = np.pad((plane > _BONE_HU).astype(np.uint8), margin)
    free = (cv2.morphologyEx(bone, cv2.MORPH_CLOSE, _disc(_BRIDGED_MM)) == 0).astype(np.uint8)
    _, labels = cv2.connectedComponents(free, connectivity=4)
    inner = ((free > 0) & (labels != labels[0, 0]))[margin:-margin, margin:-margin]
    soft = inner & (plane > _SOFT_HU[0]) & (plane < _SOFT_HU[1])
    opened = cv2.morphologyEx(soft.astype(np.uint8), cv2.MORPH_OPEN, _disc(_NECK_MM))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] * GRID_MM**2 >= _PIECE_MM2)
    return np.asarray(np.isin(labels, large[large > 0]))


def _disc(width_mm: float) -> NDArray[np.uint8]:
    import cv2

    size = 2 * int(width_mm / GRID_MM / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def _without_gaps(cavity: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Slices without any ring between two that have one hold what both of these hold."""
    filled = cavity.copy()
    found = np.flatnonzero(cavity.any(axis=(0, 1)))
    for low, high in itertools.pairwise(found):
        filled[:, :, low + 1 : high] = (cavity[:, :, low] & cavity[:, :, high])[:, :, None]
    return filled


def _at_voxels(
    cavity: NDArray[np.bool_], grid: Grid, shape: tuple[int, ...], affine: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The nearest point of the grid at each voxel."""
    start = np.array([grid.x[0], grid.y[0], grid.z[0]])
    out = np.zeros(shape, dtype=bool)
    rows, columns = np.arange(shape[1])[:, None], np.arange(shape[2])[None, :]
    for number in range(shape[0]):  # one slice at a time: three coordinates a voxel are much memory
        places = []
        for axis, size in enumerate(cavity.shape):
            along, down, across, first = affine[axis]
            position = along * number + down * rows + across * columns + first - start[axis]
            places.append(np.clip(np.rint(position / GRID_MM).astype(int), 0, size - 1))
        out[number] = cavity[tuple(places)]
    return out
