"""Source slices as highdicom takes them: frames of one instance stand in as instances of their own.

highdicom maps frames to the frames of a multi-frame source by their order in the file; ours are ordered along
the slice normal, and may be some of them only. So each frame becomes an instance with a name of its own while
the object is made, and a reference to the instance and its frame number afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import PixelMeasuresSequence
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.encode.source import SourceSeries

#: What an instance of one frame does not have.
_OF_MANY_FRAMES = (
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
    "NumberOfFrames",
    "DimensionIndexSequence",
    "DimensionOrganizationSequence",
)


def frame_sources(source: SourceSeries, chosen: Sequence[int]) -> list[Dataset]:
    """The chosen slices as single-frame instances."""
    if not source.frames:
        return [source.slices[index] for index in chosen]
    return [_stand_in(source, index) for index in chosen]


def pixel_measures(source: SourceSeries) -> PixelMeasuresSequence:
    """Spacing and thickness of the slices, said of all frames at once."""
    return PixelMeasuresSequence(
        pixel_spacing=source.spacing,
        slice_thickness=source.slice_thickness or source.slice_spacing or 1.0,
        spacing_between_slices=source.slice_spacing,
    )


def name_frames(ds: Dataset, source: SourceSeries) -> None:
    """Let references to frames that stood in name the instance and the frame number."""
    if not source.frames:
        return
    numbers = {_name(source, index): source.frame_number(index) for index in range(source.shape[0])}
    _name_references(ds, source.header, numbers)


def _name_references(ds: Dataset, instance: Dataset, numbers: Mapping[str, int | None]) -> None:
    for element in ds:
        if element.VR != "SQ":
            continue
        known: set[str] = set()
        kept = []
        for item in element.value:
            name = str(item.get("ReferencedSOPInstanceUID", ""))
            if name in numbers:
                _name_instance(item, instance)
                if element.keyword == "SourceImageSequence":
                    item.ReferencedFrameNumber = numbers[name]
                elif str(instance.SOPInstanceUID) in known:
                    continue
                known.add(str(instance.SOPInstanceUID))
            else:
                _name_references(item, instance, numbers)
            kept.append(item)
        if len(kept) < len(element.value):
            element.value = kept


def _name_instance(reference: Dataset, instance: Dataset) -> None:
    reference.ReferencedSOPClassUID = instance.SOPClassUID
    reference.ReferencedSOPInstanceUID = instance.SOPInstanceUID


def with_values(ds: Dataset, **values: object) -> Dataset:
    """A copy that shares its elements but for some, which get new values; the original stays as it is."""
    copy = Dataset()
    for element in ds:
        # An element is changed in place when an attribute is set: a shared one must not be.
        if element.keyword not in values:
            copy.add(element)
    for keyword, value in values.items():
        if value is not None:
            setattr(copy, keyword, value)
    return copy


def _stand_in(source: SourceSeries, index: int) -> Dataset:
    directions = (source.row_direction, source.column_direction)
    return with_values(
        source.header,
        # Of any class of single images: a frame alone is one.
        SOPClassUID=SecondaryCaptureImageStorage,
        SOPInstanceUID=_name(source, index),
        ImagePositionPatient=[f"{value:.6f}"[:16] for value in source.positions[index]],
        ImageOrientationPatient=[f"{value:.9f}"[:16] for direction in directions for value in direction],
        PixelSpacing=list(source.spacing),
        SliceThickness=source.slice_thickness,
        **dict.fromkeys(_OF_MANY_FRAMES),
    )


def _name(source: SourceSeries, index: int) -> str:
    # It never leaves the callers; no organisation has the root 0.0.
    return f"0.0.{source.frame_number(index)}"
