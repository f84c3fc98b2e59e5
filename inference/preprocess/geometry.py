"""Slices in their true order, and the affine that they span (PS3.3 §C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.preprocess.frames import value_of
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.preprocess.frames import Frame

#: Largest difference of direction cosines that rounding explains.
COSINE_TOLERANCE = 1e-3
#: Largest relative difference of pixel spacings that rounding explains.
SPACING_TOLERANCE = 1e-3
#: Slices nearer to each other than this stand at the same place, mm.
SAME_PLACE_MM = 1e-2
#: A step may differ from the median step by this share of it, or by `STEP_ROUNDING_MM` where that is more.
STEP_TOLERANCE = 0.02
STEP_ROUNDING_MM = 0.02
#: A slice may lie off the line through the first and the last by this share of a pixel.
LINE_TOLERANCE = 0.5


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a frame lies: LPS, mm; `orientation` is made of unit vectors along a row and down a column."""

    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: NDArray[np.float64]
    matrix: tuple[int, int]
    frame_of_reference: str

    @property
    def normal(self) -> NDArray[np.float64]:
        """The cross product of row and column direction."""
        # Not by NumPy's, which takes ten times as long for two vectors, and is asked for every slice.
        a, b, c, d, e, f = self.orientation.tolist()
        return np.array([b * f - c * e, c * d - a * f, a * e - b * d])

    @property
    def distance(self) -> float:
        """Of the plane along its own normal, mm."""
        return float(self.position @ self.normal)


@dataclass(frozen=True, slots=True)
class SliceStack:
    """The order of slices and where they lie.

    Attributes
    ----------
    order
        Indices into the input, ascending along the slice normal.
    places
        The slice of the volume that each of `order` is. Where none is missing, they count up from 0.
    affine
        As in `Volume`.
    """

    order: tuple[int, ...]
    places: tuple[int, ...]
    affine: NDArray[np.float64]

    @property
    def missing(self) -> int:
        """How many slices of the volume are not there."""
        return self.places[-1] + 1 - len(self.places)


def plane_of(frame: Frame) -> Plane:
    """Where a frame lies.

    Raises
    ------
    VolumeRefused
        Rule `missing-geometry`.
    """
    values = [
        frame.numbers(keyword)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
    ]
    if any(value is None for value in values):
        raise VolumeRefused("missing-geometry", "a slice has no position, orientation, spacing or matrix")
    position, orientation, spacing, rows, columns = (value for value in values if value is not None)
    if [position.size, orientation.size, spacing.size] != [3, 6, 2] or min(*spacing, *rows, *columns) <= 0:
        raise VolumeRefused("missing-geometry", "a slice's position, orientation or spacing makes no sense")
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = np.array([np.linalg.norm(along_row), np.linalg.norm(along_column)])
    if np.abs(lengths - 1).max() > 0.01 or abs(float(along_row @ along_column)) > 0.01:
        raise VolumeRefused("missing-geometry", "a slice's row and column directions are not perpendicular")
    return Plane(
        position,
        np.concatenate([along_row / lengths[0], along_column / lengths[1]]),
        spacing,
        (int(rows[0]), int(columns[0])),
        str(value_of(frame.ds, "FrameOfReferenceUID") or ""),
    )


def stack_planes(planes: Sequence[Plane], *, max_missing: int = 0) -> SliceStack:
    """Order slices by their positions, never by names or instance numbers.

    Parameters
    ----------
    max_missing
        So many slices in all may lack inside the stack; they are counted in `SliceStack.places`.

    Raises
    ------
    VolumeRefused
        Rule `slices`, `mixed-frame-of-reference`, `mixed-matrix`, `mixed-orientation`,
        `mixed-pixel-spacing`, `duplicate-positions`, `gap` or `bent-stack`.

    References
    ----------
    PS3.3 §C.7.6.2.1.1 (Image Position and Image Orientation), §10.7.1.3 (Pixel Spacing)
    """
    if len(planes) < 2:
        raise VolumeRefused("slices", "one slice is no volume")
    _check_same(planes)
    first = planes[0]
    along_row, along_column = first.orientation[:3], first.orientation[3:]
    positions = np.array([plane.position for plane in planes])
    distances = positions @ first.normal
    order = np.argsort(distances, kind="stable")
    places = _places(np.diff(distances[order]), max_missing)
    positions = positions[order]
    step = (positions[-1] - positions[0]) / places[-1]
    line = positions[0] + np.array(places)[:, np.newaxis] * step
    if np.abs(positions - line).max() > LINE_TOLERANCE * float(first.spacing.min()):
        raise VolumeRefused("bent-stack", "the slices' positions do not lie on one line")
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = along_column * first.spacing[0]
    affine[:3, 2] = along_row * first.spacing[1]
    affine[:3, 3] = positions[0]
    return SliceStack(tuple(int(i) for i in order), places, affine)


def same_orientation(one: Plane, other: Plane) -> bool:
    """Whether two planes are parallel and turned the same way."""
    return bool(np.abs(one.orientation - other.orientation).max() <= COSINE_TOLERANCE)


def _check_same(planes: Sequence[Plane]) -> None:
    first = planes[0]
    if any(plane.frame_of_reference != first.frame_of_reference for plane in planes):
        raise VolumeRefused("mixed-frame-of-reference", "the slices have different frames of reference")
    if any(plane.matrix != first.matrix for plane in planes):
        raise VolumeRefused("mixed-matrix", "the slices have different rows or columns")
    if not all(same_orientation(plane, first) for plane in planes):
        raise VolumeRefused(
            "mixed-orientation",
            "the slices have different orientations (a localiser, say, or several stacks)",
        )
    spacings = np.array([plane.spacing for plane in planes])
    if (np.ptp(spacings, axis=0) > SPACING_TOLERANCE * spacings.min(axis=0)).any():
        raise VolumeRefused("mixed-pixel-spacing", "the slices have different pixel spacings")


def _places(steps: NDArray[np.float64], max_missing: int) -> tuple[int, ...]:
    """The number of each slice, from 0, with numbers left out where slices are missing."""
    if steps.min() < SAME_PLACE_MM:
        raise VolumeRefused(
            "duplicate-positions",
            "several slices stand at the same position (echoes, phases or copies in one series)",
        )
    median = float(np.median(steps))
    counts = np.maximum(1, np.rint(steps / median))
    off = np.abs(steps - counts * median) > max(STEP_TOLERANCE * median, STEP_ROUNDING_MM) * counts
    missing = int((counts - 1).sum())
    if off.any() or missing > max_missing:
        wrong = int((off | (counts > 1)).sum())
        raise VolumeRefused(
            "gap",
            f"the slices are not evenly spaced: {wrong} of {len(steps)} steps differ from the"
            f" usual {median:.2f} mm (up to {float(steps.max()):.2f} mm); slices are missing, or were"
            " acquired so" + (f", and at most {max_missing} may be filled in" if max_missing else ""),
        )
    return (0, *(int(n) for n in np.cumsum(counts)))
