"""Slices in their true order, and the affine that they span (PS3.3 §C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

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
class SliceStack:
    """The order of slices and where they lie.

    Attributes
    ----------
    order
        Indices into the input, ascending along the slice normal.
    affine
        As in `Volume`.
    """

    order: tuple[int, ...]
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Plane:
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: NDArray[np.float64]
    matrix: tuple[int, int]
    frame_of_reference: str


def stack_slices(slices: Sequence[Dataset]) -> SliceStack:
    """Order slices by their positions, never by names or instance numbers.

    Raises
    ------
    VolumeRefused
        Rule `slices`, `missing-geometry`, `mixed-frame-of-reference`, `mixed-matrix`,
        `mixed-orientation`, `mixed-pixel-spacing`, `duplicate-positions`, `gap` or `bent-stack`.

    References
    ----------
    PS3.3 §C.7.6.2.1.1 (Image Position and Image Orientation), §10.7.1.3 (Pixel Spacing)
    """
    if len(slices) < 2:
        raise VolumeRefused("slices", "one slice is no volume")
    planes = [_plane(ds) for ds in slices]
    _check_same(planes)
    first = planes[0]
    along_row, along_column = first.orientation[:3], first.orientation[3:]
    normal = np.cross(along_row, along_column)
    positions = np.array([plane.position for plane in planes])
    distances = positions @ normal
    order = np.argsort(distances, kind="stable")
    _check_steps(np.diff(distances[order]))
    positions = positions[order]
    step = (positions[-1] - positions[0]) / (len(planes) - 1)
    line = positions[0] + np.arange(len(planes))[:, np.newaxis] * step
    if np.abs(positions - line).max() > LINE_TOLERANCE * float(first.spacing.min()):
        raise VolumeRefused("bent-stack", "the slices' positions do not lie on one line")
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = along_column * first.spacing[0]
    affine[:3, 2] = along_row * first.spacing[1]
    affine[:3, 3] = positions[0]
    return SliceStack(tuple(int(i) for i in order), affine)


def _plane(ds: Dataset) -> _Plane:
    try:
        position = np.array([float(x) for x in ds.ImagePositionPatient])
        orientation = np.array([float(x) for x in ds.ImageOrientationPatient])
        spacing = np.array([float(x) for x in ds.PixelSpacing])
        matrix = (int(ds.Rows), int(ds.Columns))
    except (AttributeError, TypeError, ValueError) as exc:
        raise VolumeRefused(
            "missing-geometry", "a slice has no position, orientation, spacing or matrix"
        ) from exc
    values = np.concatenate([position, orientation, spacing])
    if values.shape != (11,) or not np.isfinite(values).all() or spacing.min() <= 0 or min(matrix) < 1:
        raise VolumeRefused("missing-geometry", "a slice's position, orientation or spacing makes no sense")
    along_row, along_column = orientation[:3], orientation[3:]
    lengths = np.array([np.linalg.norm(along_row), np.linalg.norm(along_column)])
    if np.abs(lengths - 1).max() > 0.01 or abs(float(along_row @ along_column)) > 0.01:
        raise VolumeRefused("missing-geometry", "a slice's row and column directions are not perpendicular")
    orientation = np.concatenate([along_row / lengths[0], along_column / lengths[1]])
    return _Plane(position, orientation, spacing, matrix, str(ds.get("FrameOfReferenceUID", "")))


def _check_same(planes: Sequence[_Plane]) -> None:
    first = planes[0]
    if any(plane.frame_of_reference != first.frame_of_reference for plane in planes):
        raise VolumeRefused("mixed-frame-of-reference", "the slices have different frames of reference")
    if any(plane.matrix != first.matrix for plane in planes):
        raise VolumeRefused("mixed-matrix", "the slices have different rows or columns")
    if any(np.abs(plane.orientation - first.orientation).max() > COSINE_TOLERANCE for plane in planes):
        raise VolumeRefused(
            "mixed-orientation",
            "the slices have different orientations (a localiser, say, or several stacks)",
        )
    spacings = np.array([plane.spacing for plane in planes])
    if (np.ptp(spacings, axis=0) > SPACING_TOLERANCE * spacings.min(axis=0)).any():
        raise VolumeRefused("mixed-pixel-spacing", "the slices have different pixel spacings")


def _check_steps(steps: NDArray[np.float64]) -> None:
    if steps.min() < SAME_PLACE_MM:
        raise VolumeRefused(
            "duplicate-positions",
            "several slices stand at the same position (echoes, phases or copies in one series)",
        )
    median = float(np.median(steps))
    off = np.abs(steps - median) > max(STEP_TOLERANCE * median, STEP_ROUNDING_MM)
    if off.any():
        raise VolumeRefused(
            "gap",
            f"the slices are not evenly spaced: {int(off.sum())} of {len(steps)} steps differ from the"
            f" usual {median:.2f} mm (up to {float(steps.max()):.2f} mm); slices are missing, or were"
            " acquired so",
        )
