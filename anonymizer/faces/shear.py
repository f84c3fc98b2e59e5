"""The plane that cuts the face off and spares the brain.

The idea is Quickshear's: seen from the side, the convex hull of the brain has a line that it rests on from
the forehead to the neck; what lies before and below that line, a buffer away, is the face. Of all lines
that touch the hull, here that one is taken which moves the surface of face and eyes back the most.

References
----------
Schimke and Hale, Quickshear defacing for neuroimages, USENIX HealthSec 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from anonymizer.faces.surface import EYES_HEIGHT_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anonymizer.faces.surface import Face, Grid

#: Distance between the brain and the plane, mm.
BUFFER_MM: Final = 10.0
#: A surface that lies this much further back does not show what was there, mm.
MOVED_MM: Final = 5.0
#: Directions of the plane's normal that are tried, degrees: 0 looks to the front, 90 to the feet.
_ANGLES: Final = range(15, 76)


@dataclass(frozen=True, slots=True)
class ShearPlane:
    """A plane along the left-right axis, in LPS; the face lies where it looks.

    Attributes
    ----------
    angle_deg
        Of the normal: 0 looks to the front, 90 to the feet.
    offset_mm
        Distance from the origin along the normal.
    """

    angle_deg: float
    offset_mm: float

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector towards the face."""
        angle = np.radians(self.angle_deg)
        return np.array([0.0, -np.cos(angle), -np.sin(angle)])

    def beyond(self, shape: tuple[int, ...], affine: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which voxels of a volume lie on the side of the face."""
        slices, rows, columns = (
            factor * np.arange(size) for factor, size in zip(self.normal @ affine[:3, :3], shape, strict=True)
        )
        limit = self.offset_mm - float(self.normal @ affine[:3, 3])
        return np.asarray(slices[:, None, None] + rows[None, :, None] + columns[None, None, :] > limit)

    def moved(
        self, front: NDArray[np.float64], grid: Grid, columns: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """How far the surface moves back on each of the lines of sight `columns` that meet it, mm."""
        _, y, z = self.normal
        seen = columns & ~np.isnan(front)
        cut = np.broadcast_to((self.offset_mm - z * grid.z) / y, front.shape)
        return np.asarray(np.maximum(cut[seen] - front[seen], 0.0))


def plan_shear(
    brain: NDArray[np.bool_],
    affine: NDArray[np.float64],
    front: NDArray[np.float64],
    grid: Grid,
    face: Face,
    *,
    buffer_mm: float = BUFFER_MM,
) -> ShearPlane:
    """The plane that touches the brain's hull a buffer away and takes the most of the face.

    Parameters
    ----------
    brain
        (slices, rows, columns), not empty.
    affine
        Voxel index to LPS, mm.
    front
        The head's surface from the front, as `front_of` has it.
    """
    hull = _profile_hull(brain, affine)
    regions = (face.columns(grid), face.columns(grid, EYES_HEIGHT_MM))
    best, most = ShearPlane(0.0, np.inf), -1.0
    for angle in _ANGLES:
        normal = ShearPlane(float(angle), 0.0).normal
        # Voxels have an extent, and thick slices much of it.
        half_voxel = float(np.abs(normal @ affine[:3, :3]).sum()) / 2
        plane = ShearPlane(float(angle), float((hull @ normal[1:]).max()) + half_voxel + buffer_mm)
        shares = [share_moved(plane.moved(front, grid, columns)) for columns in regions]
        if (taken := float(np.prod(shares))) > most:
            best, most = plane, taken
    return best


def share_moved(moved: NDArray[np.float64]) -> float:
    """Share of the lines of sight on which the surface moved far enough; 0 where there is no surface."""
    return float((moved >= MOVED_MM).mean()) if moved.size else 0.0


def _profile_hull(brain: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the convex hull of the brain seen from the side: (points, [y, z]), mm."""
    import cv2

    points = np.argwhere(brain) @ affine[1:3, :3].T + affine[1:3, 3]
    # A tenth of a millimetre is fine enough, and leaves few points.
    profile = np.unique(np.rint(points * 10).astype(np.int32), axis=0)
    return np.asarray(cv2.convexHull(profile).reshape(-1, 2) / 10.0)
