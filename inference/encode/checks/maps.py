"""Rules of Parametric Maps: that viewers can read and place them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.encode.checks.baseline import Baseline


def check_map(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of a Parametric Map of 32-bit floats."""
    if baseline.series_sizes.get(ds.get("SeriesInstanceUID"), 0) > 1:
        yield "a map is not alone in its series"
    frames, pixels = int(ds.get("NumberOfFrames") or 0), int(ds.Rows) * int(ds.Columns)
    values = ds.get("FloatPixelData") or b""
    if len(values) != 4 * frames * pixels:
        yield "FloatPixelData does not have the length of its frames"
    elif not np.isfinite(np.frombuffer(values, "<f4")).all():
        yield "a value is no number"
    groups = ds.get("PerFrameFunctionalGroupsSequence") or ()
    if len(groups) != frames:
        yield "PerFrameFunctionalGroupsSequence does not have one item for each frame"
    yield from _check_order(ds, groups)
    shared = (ds.get("SharedFunctionalGroupsSequence") or [{}])[0]
    mappings = shared.get("RealWorldValueMappingSequence") or ()
    if not mappings:
        yield "RealWorldValueMappingSequence is missing: nobody knows what the values mean"
    for mapping in mappings:
        for keyword in ("MeasurementUnitsCodeSequence", "LUTLabel", "LUTExplanation"):
            if not mapping.get(keyword):
                yield f"RealWorldValueMappingSequence: {keyword} is missing or empty"


def _check_order(ds: Dataset, groups: object) -> Iterator[str]:
    try:
        shared = ds.SharedFunctionalGroupsSequence[0]
        cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
        places = [_place(group) for group in groups]  # type: ignore[attr-defined]
    except (AttributeError, IndexError, TypeError, ValueError):
        yield "a frame has no position or orientation"
        return
    normal = np.cross(cosines[:3], cosines[3:])
    if any((after - before) @ normal <= 0 for before, after in pairwise(places)):
        yield "the frames do not ascend along their normal: viewers ignore their positions"


def _place(group: Dataset) -> NDArray[np.float64]:
    return np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
