"""The mask as a BINARY Segmentation (PS3.3 §A.51)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import highdicom as hd
import numpy as np
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)

from dicom_node.domain.errors import EncodingFailed
from inference.encode.coding import concept
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.frame_sources import frame_sources, name_frames, pixel_measures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Segment
    from inference.encode.context import ResultContext


def make_segmentation(context: ResultContext, mask: NDArray[np.uint8]) -> Dataset:
    """Encode the mask's segments, one frame per slice that is drawn on and segment.

    Parameters
    ----------
    mask
        (slices, rows, columns), ascending along the slice normal; every value names a segment.

    Raises
    ------
    EncodingFailed
        If the mask is empty.
    """
    segments = context.prediction.segments
    chosen = choose_slices(mask, len(segments))
    segmentation = encode_segments(
        context, mask, chosen, Role.SEGMENTATION, SegmentationTypeValues.BINARY, _name(segments)
    )
    while not packs_evenly(segmentation.NumberOfFrames, *mask.shape[1:]):
        _append_empty_frame(segmentation, context)
    return segmentation


def encode_segments(
    context: ResultContext,
    mask: NDArray[np.uint8],
    chosen: list[int],
    role: Role,
    kind: SegmentationTypeValues,
    name: str,
) -> Dataset:
    """Encode the chosen slices of a mask as one Segmentation of any type.

    Parameters
    ----------
    mask
        (slices, rows, columns).
    chosen
        Indices of the slices that become frames.
    name
        For the Series Description.
    """
    source, model = context.source, context.model
    segmentation: Dataset = Segmentation(
        source_images=frame_sources(source, chosen),
        pixel_array=mask[chosen],
        segmentation_type=kind,
        segment_descriptions=[_describe(context, segment) for segment in context.prediction.segments],
        series_instance_uid=context.series_uid(role),
        series_number=context.series_number(role),
        sop_instance_uid=context.instance_uid(role),
        instance_number=1,
        content_label="SEGMENTATION",
        content_description=f"{model.name} {model.version}: {RESEARCH_NOTICE}"[:64],
        content_creator_name=None,
        pixel_measures=pixel_measures(source),
        omit_empty_frames=False,
        series_description=context.series_description(name),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    name_frames(segmentation, source)
    context.complete(segmentation)
    derive_dimension_uid(segmentation, context.uid("dimension", role.name))
    segmentation.ContentDate = context.made_at.strftime("%Y%m%d")
    segmentation.ContentTime = context.made_at.strftime("%H%M%S")
    return segmentation


def choose_slices(mask: NDArray[np.uint8], segments: int) -> list[int]:
    """Indices of the slices that become frames: those drawn on, and empty neighbours where needed.

    OHIF reads packed bits only where a frame fills whole bytes or their length is even (it falls back
    to `/frames/N` otherwise, and shows nothing): ceil(frames x rows x columns / 8) is kept even.

    Parameters
    ----------
    mask
        (slices, rows, columns).
    segments
        How many frames each slice gives.

    Raises
    ------
    EncodingFailed
        If the mask is empty.
    """
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    if drawn.size == 0:
        raise EncodingFailed("the mask is empty: there is nothing to segment")
    # A gap inside an organ stays a frame, so that the frames are one contiguous stack.
    first, last = int(drawn[0]), int(drawn[-1])
    while not packs_evenly((last - first + 1) * segments, *mask.shape[1:]):
        if last + 1 < mask.shape[0]:
            last += 1
        elif first > 0:
            first -= 1
        else:
            break
    return list(range(first, last + 1))


def packs_evenly(frames: int, rows: int, columns: int) -> bool:
    """Whether viewers can read that many 1-bit frames: whole bytes each, or an even packed length."""
    bits = rows * columns
    return bits % 8 == 0 or -(-frames * bits // 8) % 2 == 0


def _describe(context: ResultContext, segment: Segment) -> SegmentDescription:
    model = context.model
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label[:64],
        segmented_property_category=concept(segment.category),
        segmented_property_type=concept(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=model.name, version=model.version, family=concept(model.family), source=model.manufacturer
        ),
        tracking_uid=context.tracking_uid(segment.number),
        tracking_id=context.tracking_identifier(segment.number),
        anatomic_regions=[concept(segment.anatomic_region)] if segment.anatomic_region else None,
        display_color=hd.color.CIELabColor(*segment.cielab),
    )


def _name(segments: tuple[Segment, ...]) -> str:
    return f"{segments[0].label.lower()} mask" if len(segments) == 1 else "segmentation"


def derive_dimension_uid(ds: Dataset, uid: str) -> None:
    """Give the dimensions of a multi-frame object a UID that is the same for the same run."""
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _append_empty_frame(ds: Dataset, context: ResultContext) -> None:
    """Add an empty frame one step beyond the stack, for a mask that fills every slice."""
    frames = ds.PerFrameFunctionalGroupsSequence
    frame = deepcopy(frames[-1])
    # It is derived from no source image: Type 2, so empty (PS3.3 §C.7.6.16.2.6).
    frame.DerivationImageSequence = []
    source = context.source
    step = source.slice_spacing or source.slice_thickness or 1.0
    normal = np.cross(source.row_direction, source.column_direction)
    first, last = (
        np.array(item.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        for item in (frames[0], frame)
    )
    # highdicom orders frames down the normal for some orientations, up for others.
    position = last + (step if normal @ (last - first) >= 0 else -step) * normal
    frame.PlanePositionSequence[0].ImagePositionPatient = [f"{value:.6f}"[:16] for value in position]
    content = frame.FrameContentSequence[0]
    content.DimensionIndexValues = [*content.DimensionIndexValues[:-1], content.DimensionIndexValues[-1] + 1]
    frames.append(frame)
    bits = ds.NumberOfFrames * ds.Rows * ds.Columns
    packed = np.frombuffer(ds.PixelData, np.uint8)[: -(-bits // 8)]
    ds.NumberOfFrames += 1
    length = -(-ds.NumberOfFrames * ds.Rows * ds.Columns // 8)
    ds.PixelData = packed.tobytes().ljust(length + length % 2, b"\0")
