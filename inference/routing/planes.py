"""Where the slices of a series lie, from attributes: single images, and enhanced multi-frame ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.attributes import (
    IMAGE_ORIENTATION,
    IMAGE_POSITION,
    NUMBER_OF_FRAMES,
    PER_FRAME_FUNCTIONAL_GROUPS,
    PIXEL_MEASURES_SEQUENCE,
    PIXEL_SPACING,
    PLANE_ORIENTATION_SEQUENCE,
    PLANE_POSITION_SEQUENCE,
    SHARED_FUNCTIONAL_GROUPS,
    SLICE_THICKNESS,
    SPACING_BETWEEN_SLICES,
    items,
    number,
    numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Within 25 degrees of an axis; heads are often tilted that far.
_ALONG_AN_AXIS = 0.906


@dataclass(frozen=True, slots=True)
class Planes:
    """What the attributes of a series tell of its geometry.

    Attributes
    ----------
    count
        Images, frames of multi-frame ones each counted.
    orientation
        `axial`, `coronal`, `sagittal`, `oblique` or `unknown`.
    slice_spacing_mm
        Median distance of neighbouring slices; `None` where it is not told.
    pixel_spacing_mm
        The coarser of the two; `None` where it is not told.
    """

    count: int
    orientation: str
    slice_spacing_mm: float | None
    pixel_spacing_mm: float | None


def planes(attributes: Sequence[Mapping[str, Any]]) -> Planes:
    """The planes of a series; never raises for odd values."""
    first = attributes[0]
    cosines = _first(first, IMAGE_ORIENTATION, PLANE_ORIENTATION_SEQUENCE)
    told = _first(first, PIXEL_SPACING, PIXEL_MEASURES_SEQUENCE)
    pixels = [p for p in told if np.isfinite(p) and p > 0]
    positions = [p for a in attributes for p in _positions(a)]
    spacing = _distance(cosines, positions)
    if spacing is None and (_frames(first) > 1):
        spacing = _told_spacing(first)
    return Planes(
        count=sum(_frames(a) for a in attributes),
        orientation=_orientation(cosines),
        slice_spacing_mm=spacing,
        pixel_spacing_mm=max(pixels) if pixels else None,
    )


def is_multi_frame(attributes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an instance holds more than one frame."""
    return any(_frames(a) > 1 for a in attributes)


def _frames(attributes: Mapping[str, Any]) -> int:
    told = number(attributes, NUMBER_OF_FRAMES)
    return int(told) if told is not None and np.isfinite(told) and told > 1 else 1


def _first(attributes: Mapping[str, Any], tag: str, macro: str) -> tuple[float, ...]:
    """Values of a plain image, or those that the frames share, or those of the first frame."""
    found = numbers(attributes, tag)
    for groups in (SHARED_FUNCTIONAL_GROUPS, PER_FRAME_FUNCTIONAL_GROUPS):
        if found:
            break
        found = next((numbers(i, tag) for g in items(attributes, groups) for i in items(g, macro)), ())
    return found


def _positions(attributes: Mapping[str, Any]) -> list[tuple[float, ...]]:
    found = [numbers(attributes, IMAGE_POSITION)]
    for groups in items(attributes, PER_FRAME_FUNCTIONAL_GROUPS):
        found += [numbers(item, IMAGE_POSITION) for item in items(groups, PLANE_POSITION_SEQUENCE)]
    return [position for position in found if len(position) == 3]


def _told_spacing(attributes: Mapping[str, Any]) -> float | None:
    for tag in (SPACING_BETWEEN_SLICES, SLICE_THICKNESS):
        told = _first(attributes, tag, PIXEL_MEASURES_SEQUENCE)
        if told and np.isfinite(told[0]) and told[0] > 0:
            return told[0]
    return None


def _orientation(cosines: tuple[float, ...]) -> str:
    if len(cosines) != 6:
        return "unknown"
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    if not np.isfinite(normal).all() or normal.max() < 0.5:
        return "unknown"
    if normal.max() < _ALONG_AN_AXIS:
        return "oblique"
    return ("sagittal", "coronal", "axial")[int(np.argmax(normal))]


def _distance(cosines: tuple[float, ...], positions: Sequence[tuple[float, ...]]) -> float | None:
    if len(cosines) != 6 or len(positions) < 2:
        return None
    normal = np.cross(cosines[:3], cosines[3:])
    with np.errstate(all="ignore"):
        steps = np.diff(np.sort(np.array(positions) @ normal))
    steps = steps[np.isfinite(steps) & (steps > 1e-2)]
    return float(np.median(steps)) if steps.size else None
