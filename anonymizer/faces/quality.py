"""Whether a mask is one of a brain, and whether the face is gone and the brain is not.

The limits are wide around what two real heads showed; they refuse what is clearly wrong, they prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from anonymizer.faces.shear import share_moved
from anonymizer.faces.surface import EYES_HEIGHT_MM, GRID_MM, eroded, front_of, head_of
from anonymizer.faces.volume import refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anonymizer.faces.surface import Face, Grid

_VOLUME_ML: Final = (600.0, 2300.0)
#: Size along left-right, front-back and down-up, mm.
_EXTENTS_MM: Final = ((90.0, 190.0), (110.0, 235.0), (80.0, 215.0))
#: Share of the mask's largest cross-section that an edge of the volume may cut.
_MAX_CUT: Final = 0.15
#: Share of the mask that must be brighter than air.
_MIN_IN_HEAD: Final = 0.85
#: The frontal lobes lie higher than the cerebellum, even where the chin is on the chest, mm.
_FRONT_ABOVE_BACK_MM: Final = 0.0
#: Brightness of the mask's rim (fluid) over its core; T1-weighted: dark fluid.
_MAX_RIM_TO_CORE: Final = 0.9
_RIM_STEPS, _CORE_STEPS = 2, 6
#: Least surface of a face that must be there before, cm2: an image without a face proves nothing.
_MIN_FACE_CM2: Final = 25.0
_MIN_FACE_MOVED, _MIN_EYES_MOVED = 0.8, 0.7
_HEAD_REMOVED: Final = (0.005, 0.45)


@dataclass(frozen=True, slots=True)
class FaceMeasures:
    """What the removal did, measured on the output.

    Attributes
    ----------
    brain_voxels_lost
        Voxels of the brain mask that changed.
    kept_voxels_changed
        Voxels on the brain's side of the plane that changed.
    face_cm2
        Surface of the face, seen from the front, that was there before.
    face_moved, eyes_moved
        Share of that surface, and of its part at the eyes, that is gone or lies at least 5 mm further back.
    head_removed
        Share of the head's volume that is gone.
    """

    brain_voxels_lost: int
    kept_voxels_changed: int
    face_cm2: float
    face_moved: float
    eyes_moved: float
    head_removed: float

    def check(self) -> None:
        """Pass, or say what is wrong.

        Raises
        ------
        CannotVouch
        """
        if self.brain_voxels_lost or self.kept_voxels_changed:
            raise refuse("the removal would have changed the brain or what lies behind the plane")
        if self.face_cm2 < _MIN_FACE_CM2:
            raise refuse("no face was found in front of the brain, so none could be seen to go")
        if self.face_moved < _MIN_FACE_MOVED or self.eyes_moved < _MIN_EYES_MOVED:
            raise refuse(
                f"too much of the face would stay: {self.face_moved:.0%} of its surface and"
                f" {self.eyes_moved:.0%} of that around the eyes would be gone"
            )
        if not _HEAD_REMOVED[0] <= self.head_removed <= _HEAD_REMOVED[1]:
            raise refuse(f"{self.head_removed:.0%} of the head would be gone, which is implausible")


def measure(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    brain: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    grid: Grid,
    face: Face,
) -> FaceMeasures:
    """Compare a volume with its output; arrays are (slices, rows, columns)."""
    changed = before != after
    head = head_of(grid.sample(before))
    left = head_of(grid.sample(after))
    front, front_left = front_of(head, grid), front_of(left, grid)
    columns, eyes = face.columns(grid), face.columns(grid, EYES_HEIGHT_MM)
    moved = np.nan_to_num(front_left - front, nan=np.inf)
    seen = ~np.isnan(front)
    return FaceMeasures(
        brain_voxels_lost=int((changed & brain).sum()),
        kept_voxels_changed=int((changed & ~beyond).sum()),
        face_cm2=float((columns & seen).sum()) * GRID_MM**2 / 100,
        face_moved=share_moved(moved[columns & seen]),
        eyes_moved=share_moved(moved[eyes & seen]),
        head_removed=1 - float((left & head).sum()) / max(int(head.sum()), 1),
    )


def check_whole(brain: NDArray[np.bool_]) -> None:
    """Refuse a mask (slices, rows, columns) that is empty or that an edge of the image cuts.

    Raises
    ------
    CannotVouch
    """
    if not brain.any():
        raise refuse("no brain was found")
    for axis in range(3):
        areas = brain.sum(axis=tuple(other for other in range(3) if other != axis))
        if max(areas[0], areas[-1]) > _MAX_CUT * areas.max():
            raise refuse("the image ends inside the brain; slices are missing")


def check_mask(
    brain: NDArray[np.bool_], voxels: NDArray[np.float32], head: NDArray[np.bool_], grid: Grid, *, t1: bool
) -> None:
    """Refuse a mask that is none of a whole, upright brain.

    Parameters
    ----------
    brain, voxels, head
        (x, y, z) of the grid.
    t1
        Whether fluid must be dark.

    Raises
    ------
    CannotVouch
    """
    count = int(brain.sum())
    volume_ml = count * GRID_MM**3 / 1000
    if not _VOLUME_ML[0] <= volume_ml <= _VOLUME_ML[1]:
        raise refuse(f"the brain mask holds {volume_ml:.0f} mL, which is no adult head")
    for axis, (least, most) in enumerate(_EXTENTS_MM):
        others = tuple(other for other in range(3) if other != axis)
        areas = brain.sum(axis=others)
        extent = GRID_MM * (1 + np.ptp(np.flatnonzero(areas)))
        if not least <= extent <= most:
            raise refuse("the brain mask has no size of a brain")
    if float(head[brain].mean()) < _MIN_IN_HEAD:
        raise refuse("much of the brain mask lies in air")
    if _front_above_back(brain, grid) < _FRONT_ABOVE_BACK_MM:
        raise refuse("the brain does not stand as the image's orientation says", "ImageOrientationPatient")
    if t1 and _rim_to_core(brain, voxels) > _MAX_RIM_TO_CORE:
        raise refuse("fluid is not dark, so the image is not T1-weighted; only such heads are supported")


def _front_above_back(brain: NDArray[np.bool_], grid: Grid) -> float:
    """How much higher the brain's lower edge lies in its front quarter than in its back half, mm."""
    profile = np.asarray(brain.any(axis=0))
    occupied = np.flatnonzero(profile.any(axis=1))
    lower = grid.z[profile[occupied].argmax(axis=1)]
    length = occupied.size
    return float(np.median(lower[: length // 4]) - np.median(lower[length // 2 : -length // 8]))


def _rim_to_core(brain: NDArray[np.bool_], voxels: NDArray[np.float32]) -> float:
    core, rim = brain, brain
    for step in range(1, _CORE_STEPS + 1):
        core = eroded(core)
        if step == _RIM_STEPS:
            rim = brain & ~core
    dark = float(np.percentile(voxels, 1))
    if not core.any() or not rim.any() or (bright := float(np.median(voxels[core])) - dark) <= 0:
        return float("inf")
    return (float(np.median(voxels[rim])) - dark) / bright
