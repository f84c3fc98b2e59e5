"""Rules of segmentations and heatmap series: that viewers can read and place them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture lies, and which slice it shows; what is missing or makes no sense is `None`.

    Attributes
    ----------
    shape
        Direction cosines, spacings, rows and columns.
    source
        SOP Instance UID and frame number of the slice.
    """

    sop_instance_uid: str
    in_patient: bool
    shape: tuple[float, ...] | None
    position: tuple[float, ...] | None
    number: int | None
    source: tuple[str, str] | None


def place_of(ds: Dataset, like: Dataset | None = None) -> Place:
    """Where a picture lies.

    Parameters
    ----------
    like
        Where `ds` holds only what differs in the series: an instance with all that does not.
    """
    whole = ds if like is None else like
    return Place(
        str(ds.get("SOPInstanceUID")),
        "FrameOfReferenceUID" in whole,
        _numbers(whole, "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
        _numbers(ds, "ImagePositionPatient"),
        next((int(number) for number in _numbers(ds, "InstanceNumber") or ()), None),
        next(
            (
                (str(item.get("ReferencedSOPInstanceUID")), str(item.get("ReferencedFrameNumber")))
                for item in ds.get("SourceImageSequence") or ()
            ),
            None,
        ),
    )


def _numbers(ds: Dataset, *keywords: str) -> tuple[float, ...] | None:
    try:
        values = [ds[keyword].value for keyword in keywords]
        return tuple(
            float(one) for value in values for one in (value if isinstance(value, Iterable) else (value,))
        )
    except (KeyError, TypeError, ValueError):
        return None


def check_stack(places: Sequence[Place]) -> list[str]:
    """The problems of a series of pictures as a whole.

    Its instances come from different source slices. Where the sources have a place in the patient they make
    one stack with geometry.
    """
    problems = _stack_problems(places) if any(place.in_patient for place in places) else []
    # The missing attribute is named by the check of the single instance.
    sources = [place.source for place in places if place.source is not None]
    if len(set(sources)) != len(sources):
        problems.append("two slices come from the same source slice")
    return problems


def _stack_problems(places: Sequence[Place]) -> list[str]:
    known = [place for place in places if place.shape and place.position and place.number is not None]
    if len(known) < len(places) or any(
        (len(place.shape or ()), len(place.position or ())) != (10, 3) for place in known
    ):
        return ["the series is no stack with geometry"]
    shapes = np.array([place.shape for place in known])
    positions = np.array([place.position for place in known])
    if np.ptp(shapes, axis=0).max() > 1e-3:
        return ["the slices differ in size, spacing or orientation: viewers cannot reconstruct them"]
    along = positions @ np.cross(shapes[0, :3], shapes[0, 3:6])
    order = np.argsort([place.number or 0 for place in known])
    if len(along) > 1 and np.diff(along[order]).min() <= 0:
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
    yield from _check_length(len(ds.get("PixelData") or b""), ds)
    if ds.get("BurnedInAnnotation") != "NO":
        yield "BurnedInAnnotation is not NO: nothing that identifies a patient may be burned in"


def check_own_part(ds: Dataset, pixel_bytes: int, like: Dataset) -> Iterator[str]:
    """Yield the problems of what a Secondary Capture does not share with another of its series.

    Parameters
    ----------
    ds
        Its own attributes.
    like
        An instance with all that is shared.
    """
    for keyword in ("InstanceNumber", "ImagePositionPatient", "SourceImageSequence"):
        if ds[keyword].is_empty:
            yield f"{keyword} is missing or empty"
    yield from _check_length(pixel_bytes, like)


def _check_length(pixel_bytes: int, ds: Dataset) -> Iterator[str]:
    length = int(ds.Rows) * int(ds.Columns) * 3
    if pixel_bytes != length + length % 2:
        yield "PixelData does not have the length of its frame"


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
