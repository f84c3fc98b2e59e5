"""Measurement groups of segments: volume, and the outline where it is largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import sr

from inference.encode.coding import concept, sct, ucum
from inference.encode.group_parts import (
    algorithm,
    certainty,
    evaluation,
    finding_sites,
    frame_corner,
    image_of,
    numbers,
)
from inference.encode.outline import largest_outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Segment
    from inference.encode.context import ResultContext
    from inference.encode.outline import Outline


def segment_groups(
    context: ResultContext, segmentation: Dataset | None, mask: NDArray[np.uint8]
) -> Iterator[sr.MeasurementsAndQualitativeEvaluations]:
    """Yield a volumetric group (TID 1411) with the volume and a planar one (TID 1410) with the outline.

    Both have one Tracking UID, by which OHIF merges them: it draws 2D coordinates only. A segment without a
    voxel has a group of TID 1501 that says that it is absent.

    Parameters
    ----------
    segmentation
        The SEG of the same prediction; `None` where nothing is drawn.
    mask
        (slices, rows, columns), values are segment numbers.
    """
    for segment in context.prediction.segments:
        drawn = mask == segment.number
        if segmentation is None or not drawn.any():
            yield _absent_group(context, segment)
        else:
            yield _volumetric_group(context, segment, segmentation)
            yield _planar_group(context, segment, largest_outline(drawn))


def _volumetric_group(
    context: ResultContext, segment: Segment, segmentation: Dataset
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=segment.number,
            source_series=sr.SourceSeriesForSegmentation(context.header.SeriesInstanceUID),
        ),
        measurements=numbers(
            (*segment.measurements, *certainty(context.prediction.confidence)),
            sites=finding_sites(segment.anatomic_region, context.header),
        ),
        **_arguments(context, segment),
    )


def _planar_group(
    context: ResultContext, segment: Segment, outline: Outline
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    area = outline.pixels * context.source.pixel_area_mm2 / 100
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=outline.points,
            source_image=image_of(context.source, outline.slice_index),
        ),
        measurements=[
            sr.Measurement(
                name=sct("42798000", "Area"),
                value=round(area, 2),
                unit=ucum("cm2", "square centimeter"),
                finding_sites=finding_sites(segment.anatomic_region, context.header) or None,
            )
        ],
        **_arguments(context, segment),
    )


def _absent_group(context: ResultContext, segment: Segment) -> sr.MeasurementsAndQualitativeEvaluations:
    source = context.source
    frame = frame_corner(source, source.shape[0] // 2)
    measured = (*segment.measurements, *certainty(context.prediction.confidence))
    return sr.MeasurementsAndQualitativeEvaluations(
        measurements=numbers(measured, coordinates=[frame]),
        qualitative_evaluations=[evaluation(segment.type, present=False)],
        **_arguments(context, segment),
    )


def _arguments(context: ResultContext, segment: Segment) -> dict[str, object]:
    """What all groups of a segment say."""
    return {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=context.tracking_uid(segment.number), identifier=context.tracking_identifier(segment.number)
        ),
        "finding_type": concept(segment.type),
        "finding_category": concept(segment.category),
        "algorithm_id": algorithm(context),
    }
