"""Rules of segmentations and heatmap series: that viewers can read and place them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import SegmentationStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

    from inference.encode.checks.baseline import Baseline


_PLACE = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient")


def check_segmentation(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of a Segmentation, BINARY or LABELMAP by its SOP Class."""
    binary = ds.get("SOPClassUID") == SegmentationStorage
    if ds.get("SegmentationType") != ("BINARY" if binary else "LABELMAP"):
        yield "SegmentationType does not fit the SOP Class: viewers show no other"
    if baseline.series_sizes.get(ds.get("SeriesInstanceUID"), 0) > 1:
        yield "a segmentation is not alone in its series"
    frames = int(ds.get("NumberOfFrames") or 0)
    bits = int(ds.Rows) * int(ds.Columns) * int(ds.get("BitsAllocated") or 1)
    length = -(-frames * bits // 8)
    if binary and bits % 8 and length % 2:
        yield "the packed frames have an odd length: viewers cannot read them"
    if len(ds.get("PixelData") or b"") != length + length % 2:
        yield "PixelData does not have the length of its frames"
    if len(ds.get("PerFrameFunctionalGroupsSequence") or ()) != frames:
        yield "PerFrameFunctionalGroupsSequence does not have one item for each frame"
    if ds.get("FrameOfReferenceUID") != baseline.header.get("FrameOfReferenceUID") and (
        len(baseline.source_series) == 1
    ):
        yield "FrameOfReferenceUID is not the source's"
    for segment in ds.get("SegmentSequence") or ():
        # The background of a label map is nobody's finding.
        if segment.get("SegmentNumber") != 0:
            yield from _check_segment(segment)


def _check_segment(segment: Dataset) -> Iterator[str]:
    for keyword in (
        "SegmentLabel",
        "SegmentAlgorithmName",
        "SegmentationAlgorithmIdentificationSequence",
        "SegmentedPropertyCategoryCodeSequence",
        "SegmentedPropertyTypeCodeSequence",
        "RecommendedDisplayCIELabValue",
        "TrackingUID",
    ):
        if not segment.get(keyword):
            yield f"a segment lacks {keyword}"


def check_stack(instances: Sequence[Dataset]) -> dict[str, list[str]]:
    """The problems of a series of pictures as a whole, by SOP Instance UID.

    Its instances come from different source slices. Where the sources have a place in the patient they make
    one stack with geometry.
    """
    problems: dict[str, list[str]] = {str(ds.SOPInstanceUID): [] for ds in instances}
    whole = [] if not any("FrameOfReferenceUID" in ds for ds in instances) else _stack_problems(instances)
    sources = [
        (str(item.ReferencedSOPInstanceUID), item.get("ReferencedFrameNumber"))
        for item in (ds.SourceImageSequence[0] for ds in instances)
    ]
    if len(set(sources)) != len(sources):
        whole.append("two slices come from the same source slice")
    for found in problems.values():
        found += whole
    return problems


def _stack_problems(instances: Sequence[Dataset]) -> list[str]:
    try:
        shapes = np.array(
            [
                [*map(float, (*ds.ImageOrientationPatient, *ds.PixelSpacing)), ds.Rows, ds.Columns]
                for ds in instances
            ]
        )
        positions = np.array([list(map(float, ds.ImagePositionPatient)) for ds in instances])
        numbers = [int(ds.InstanceNumber) for ds in instances]
    except (AttributeError, TypeError, ValueError):
        # The missing attribute is named by the check of the single instance.
        return ["the series is no stack with geometry"]
    if np.ptp(shapes, axis=0).max() > 1e-3:
        return ["the slices differ in size, spacing or orientation: viewers cannot reconstruct them"]
    along = positions @ np.cross(shapes[0, :3], shapes[0, 3:6])
    if len(along) > 1 and np.diff(along[np.argsort(numbers)]).min() <= 0:
        return ["the slices do not ascend along their normal in the order of Instance Number"]
    return []


def check_capture(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of one RGB Secondary Capture.

    It has its source's place in the patient whole, or, where the source has none or the picture shows more
    than the source, not at all.
    """
    if any(keyword in ds for keyword in _PLACE) or _has_place(ds, baseline):
        for keyword in (*_PLACE, "PixelSpacing"):
            if keyword not in ds or ds[keyword].is_empty:
                yield f"{keyword} is missing or empty"
    if (ds.get("SamplesPerPixel"), ds.get("PhotometricInterpretation")) != (3, "RGB"):
        yield "a heatmap is not RGB"
    length = int(ds.Rows) * int(ds.Columns) * 3
    if len(ds.get("PixelData") or b"") != length + length % 2:
        yield "PixelData does not have the length of its frame"
    if ds.get("BurnedInAnnotation") != "NO":
        yield "BurnedInAnnotation is not NO: nothing that identifies a patient may be burned in"


def _has_place(ds: Dataset, baseline: Baseline) -> bool:
    """Whether a picture shows its source's pixels in place, and the study's only series has geometry."""
    preserved = any(
        item.get("SpatialLocationsPreserved") == "YES" for item in ds.get("SourceImageSequence") or ()
    )
    return (
        preserved
        and len(baseline.source_series) == 1
        and all(keyword in baseline.header for keyword in _PLACE)
    )
