"""What reports draw, as boxes in voxels: the known answers of a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.evaluation.sr.codes import among, same
from inference.evaluation.sr.content import Presence
from inference.evaluation.sr.findings import presence_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Code
    from inference.evaluation.sr.content import Passage, Region
    from inference.evaluation.sr.grid import Grid

    Box = tuple[float, float, float, float, float, float]

#: Less than this much of a voxel is no extent.
_EXTENT = 1e-3
#: Closed or open lines in a plane: each occupies the slice that it lies on.
_FLAT = frozenset({"POLYLINE", "POLYGON", "ELLIPSE", "CIRCLE", "POINT"})
#: Semi-axes of ellipses and ellipsoids by pairs of points (PS3.3 §C.18.6.1.2, §C.18.9.1.2).
_AXES = {"ELLIPSE": 2, "ELLIPSOID": 3}


@dataclass(frozen=True, slots=True)
class DrawnFinding:
    """A finding that a report draws.

    Attributes
    ----------
    category
        Index of the package's category.
    box
        As `Detection.box`.
    """

    category: int
    box: Box


def drawn_findings(
    passages: Sequence[Passage], categories: Sequence[Code], grid: Grid
) -> tuple[DrawnFinding, ...] | None:
    """Boxes round all that reports draw of the package's categories; `None` where they say nothing of them.

    Groups with one Tracking UID are one finding, whose box holds them all. A group that names no finding is
    of the package's category where that is the only one. Reports that call a category absent and none
    present say that there is nothing.

    Raises
    ------
    InferenceFailed
        If reports contradict each other, or draw a finding in a way that makes no box on these slices.
    """
    found: dict[tuple[int, str], list[Box]] = {}
    unclear: dict[tuple[int, str], str] = {}
    for number, passage in enumerate(passages):
        category = _category(passage, categories)
        if not passage.group or category is None or not _is_there(passage, categories[category]):
            continue
        key = category, passage.tracking_uid or f"\0{number}"
        try:
            found.setdefault(key, []).extend(_boxes(passage.regions, grid))
        except InferenceFailed as exc:
            if passage.findings:
                unclear[key] = str(exc)
    for key, why in unclear.items():
        if not found[key]:
            raise InferenceFailed(f"a finding {why}: a box there would count as wrong")
    drawn = [DrawnFinding(category, _around(boxes)) for (category, _), boxes in found.items() if boxes]
    if drawn:
        return tuple(drawn)
    told = [presence_of(passages, code) for code in categories]
    return () if Presence.ABSENT in told and Presence.PRESENT not in told else None


def _category(passage: Passage, categories: Sequence[Code]) -> int | None:
    named = [index for index, code in enumerate(categories) if among(code, passage.findings)]
    if named:
        return named[0]
    return 0 if len(categories) == 1 and not passage.findings else None


def _is_there(passage: Passage, category: Code) -> bool:
    said = [one for one in passage.said if same(one.finding, category)]
    return all(one.presence is Presence.PRESENT for one in said)


def _boxes(regions: Sequence[Region], grid: Grid) -> list[Box]:
    if not regions:
        raise InferenceFailed("is not drawn, or by a Segmentation only")
    return [_box_of(region.kind, _voxels_of(region, grid)) for region in regions]


def _voxels_of(region: Region, grid: Grid) -> NDArray[np.float64]:
    """The points as slice, row and column."""
    points = np.array(region.points, dtype=np.float64)
    if region.frame_of_reference is None:
        place = grid.slice_of(region.sop_instance_uid or "", region.frames)
        if place is None:
            raise InferenceFailed("is drawn on an image that the model was not given")
        return np.column_stack([np.full(len(points), place + 0.5), points[:, ::-1]])
    if grid.frame_of_reference is None or region.frame_of_reference != grid.frame_of_reference:
        raise InferenceFailed("is drawn in another frame of reference than the series")
    voxels = grid.voxels_of(points)
    if voxels[:, 0].max() < -1 or voxels[:, 0].min() > len(grid.planes) + 1:
        raise InferenceFailed("is drawn outside of the series")
    return voxels


def _box_of(kind: str, voxels: NDArray[np.float64]) -> Box:
    low, high = _extremes(kind, voxels)
    if (high - low)[1:].min() < _EXTENT:
        raise InferenceFailed("is drawn as a point or a straight line, which has no extent")
    if kind in _FLAT or high[0] - low[0] < 1:
        low[0], high[0] = np.floor(low[0]), np.floor(high[0]) + 1
    return _box(low, high)


def _extremes(kind: str, voxels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if kind == "CIRCLE":
        if len(voxels) != 2:
            raise InferenceFailed("is drawn as a circle without centre and edge")
        radius = float(np.linalg.norm(voxels[1] - voxels[0])) * np.array([0.0, 1.0, 1.0])
        return voxels[0] - radius, voxels[0] + radius
    pairs = _AXES.get(kind)
    if pairs is None:
        return voxels.min(axis=0), voxels.max(axis=0)
    if len(voxels) != 2 * pairs:
        raise InferenceFailed("is drawn as an ellipse without the ends of its axes")
    ends = voxels.reshape(pairs, 2, 3)
    centre, halves = ends.mean(axis=(0, 1)), (ends[:, 1] - ends[:, 0]) / 2
    # Where a plane touches it: the root of the squares of the semi-axes along each direction.
    reach = np.sqrt((halves**2).sum(axis=0))
    return centre - reach, centre + reach


def _around(boxes: Sequence[Box]) -> Box:
    each = np.array(boxes)
    return _box(each[:, :3].min(axis=0), each[:, 3:].max(axis=0))


def _box(low: NDArray[np.float64], high: NDArray[np.float64]) -> Box:
    first, top, left, last, bottom, right = (float(value) for value in (*low, *high))
    return first, top, left, last, bottom, right
