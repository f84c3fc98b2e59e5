"""The measurement report: TID 1500 in which every group can be drawn (PS3.16 §TID 1500)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom import sr

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Code, Measurement
from inference.encode.coding import concept, dcm, sct, ucum
from inference.encode.context import Role
from inference.encode.outline import largest_outline
from inference.encode.structured_report import device_observer, finish_report, sr_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Prediction, Segment
    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext
    from inference.encode.outline import Outline


def make_measurement_report(
    context: ResultContext, segmentation: Dataset | None, arrays: PredictionArrays
) -> Dataset:
    """Encode the prediction's measurements as Comprehensive 3D SR with TID 1500.

    OHIF draws 2D coordinates only, and a group without any crashes its view. So each segment has a
    volumetric group (TID 1411) with its volume and a planar group (TID 1410) with its outline on the
    slice where it is largest; both have one Tracking UID, and the viewer merges them. Measurements of
    the whole series stand in a group of TID 1501 whose values refer to the frame of a slice.

    Parameters
    ----------
    segmentation
        The SEG of the same prediction; `None` where it has no segments.
    arrays
        Of the prediction.

    Raises
    ------
    EncodingFailed
        If a segment's mask is empty, or the prediction measures nothing.
    """
    groups = []
    if segmentation is not None and arrays.mask is not None:
        for segment in context.prediction.segments:
            outline = largest_outline(arrays.mask == segment.number)
            groups += [
                _volumetric_group(context, segment, segmentation),
                _planar_group(context, segment, outline),
            ]
    whole = _series_measurements(context)
    if whole:
        groups.append(_series_group(context, whole))
    if not groups:
        raise EncodingFailed("the prediction has no segment, measurement or confidence to report")
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device_observer(context)),
        procedure_reported=sct("363679005", "Imaging procedure"),
        imaging_measurements=groups,
        title=dcm("126000", "Imaging Measurement Report"),
    )
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=[*context.source.slices, *([segmentation] if segmentation is not None else [])],
        content=report[0],
        **sr_arguments(context, Role.MEASUREMENTS, "measurements"),
    )
    finish_report(ds, context)
    return ds


def _volumetric_group(
    context: ResultContext, segment: Segment, segmentation: Dataset
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=segment.number,
            source_series=sr.SourceSeriesForSegmentation(context.source.header.SeriesInstanceUID),
        ),
        measurements=_numbers((*segment.measurements, *certainty(context.prediction))),
        **_group_arguments(context, segment),
    )


def _planar_group(
    context: ResultContext, segment: Segment, outline: Outline
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    area = outline.pixels * context.source.pixel_area_mm2 / 100
    image = context.source.slices[outline.slice_index]
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POLYLINE,
            graphic_data=outline.points,
            source_image=sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
        ),
        measurements=[
            sr.Measurement(
                name=sct("42798000", "Area"),
                value=round(area, 2),
                unit=ucum("cm2", "square centimeter"),
            )
        ],
        **_group_arguments(context, segment),
    )


def _group_arguments(context: ResultContext, segment: Segment) -> dict[str, object]:
    """What both groups of a segment say.

    No finding site: OHIF writes its code's number into the picture. SEG and full report have it.
    """
    return {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=context.tracking_uid(segment.number), identifier=context.tracking_identifier(segment.number)
        ),
        "finding_type": concept(segment.type),
        "finding_category": concept(segment.category),
        "algorithm_id": _algorithm(context),
    }


def _series_measurements(context: ResultContext) -> list[Measurement]:
    """What is measured on the series as a whole, and no segment has already."""
    prediction = context.prediction
    of_segments = {
        (measurement.name, measurement.value)
        for segment in prediction.segments
        for measurement in segment.measurements
    }
    whole = [m for m in prediction.measurements if (m.name, m.value) not in of_segments]
    return whole if prediction.segments else [*whole, *certainty(prediction)]


def _series_group(
    context: ResultContext, measurements: Sequence[Measurement]
) -> sr.MeasurementsAndQualitativeEvaluations:
    source = context.source
    image = source.slices[len(source.slices) // 2]
    rows, columns = source.pixels.shape[1:]
    frame = sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=_rectangle(rows, columns),
        source_image=sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
    )
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=context.uid("tracking", "series"), identifier=f"{context.model.name} series"
        ),
        algorithm_id=_algorithm(context),
        measurements=_numbers(measurements, [frame]),
    )


def _rectangle(rows: int, columns: int) -> NDArray[np.float32]:
    corners = [(0, 0), (columns, 0), (columns, rows), (0, rows), (0, 0)]
    return np.array(corners, dtype=np.float32)


def _numbers(
    measurements: Iterable[Measurement],
    coordinates: Sequence[sr.CoordinatesForMeasurement] | None = None,
) -> list[sr.Measurement]:
    return [
        sr.Measurement(
            name=concept(measurement.name),
            value=measurement.value,
            unit=concept(measurement.unit),
            referenced_coordinates=coordinates,
        )
        for measurement in measurements
    ]


def certainty(prediction: Prediction) -> tuple[Measurement, ...]:
    """The model's confidence as Certainty of Finding, 0 to 100 % (PS3.16 Annex D), where it has one."""
    if prediction.confidence is None:
        return ()
    return (
        Measurement(
            Code("111012", "DCM", "Certainty of Finding"),
            round(100 * prediction.confidence, 1),
            Code("%", "UCUM", "percent"),
        ),
    )


def _algorithm(context: ResultContext) -> sr.AlgorithmIdentification:
    model = context.model
    return sr.AlgorithmIdentification(
        name=model.name, version=model.version, family=concept(model.family), manufacturer=model.manufacturer
    )
