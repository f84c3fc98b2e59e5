"""The measurement report: TID 1500 in which every group can be drawn (PS3.16 §TID 1500)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import sr

from dicom_node.domain.errors import EncodingFailed
from inference.encode.box_groups import box_groups
from inference.encode.class_groups import class_group
from inference.encode.coding import dcm, sct
from inference.encode.context import Role
from inference.encode.group_parts import algorithm, certainty, frame_corner, numbers, of_whole_series
from inference.encode.key_slices import key_slices
from inference.encode.segment_groups import segment_groups
from inference.encode.structured_report import device_observer, finish_report, sr_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Measurement
    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext


def make_measurement_report(
    context: ResultContext, segmentation: Dataset | None, arrays: PredictionArrays
) -> Dataset:
    """Encode what the prediction measures and finds as Comprehensive 3D SR with TID 1500.

    OHIF draws 2D coordinates only, and a group without any crashes its view: so each group has some, or
    shares its Tracking UID with one that has. What is said of the whole series stands in one group of
    TID 1501 whose values refer to a corner of the slice that shows most.

    Parameters
    ----------
    segmentation
        The SEG of the same prediction; `None` where it draws nothing.
    arrays
        Of the prediction.

    Raises
    ------
    EncodingFailed
        If the prediction measures and finds nothing.
    """
    groups = list(_groups(context, segmentation, arrays))
    if not groups:
        raise EncodingFailed("the prediction has no segment, measurement or confidence to report")
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device_observer(context)),
        procedure_reported=sct("363679005", "Imaging procedure"),
        imaging_measurements=groups,
        title=dcm("126000", "Imaging Measurement Report"),
    )
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=[*context.source.instances, *([segmentation] if segmentation is not None else [])],
        content=report[0],
        **sr_arguments(context, Role.MEASUREMENTS, "measurements"),
    )
    finish_report(ds, context, Role.MEASUREMENTS)
    return ds


def _groups(
    context: ResultContext, segmentation: Dataset | None, arrays: PredictionArrays
) -> Iterator[sr.MeasurementsAndQualitativeEvaluations]:
    prediction = context.prediction
    if prediction.segments and arrays.mask is not None:
        yield from segment_groups(context, segmentation, arrays.mask)
    yield from box_groups(context)
    whole = of_whole_series(prediction)
    (key_slice,) = key_slices(prediction, arrays, context.source.shape[0])
    if prediction.classes:
        yield class_group(context, key_slice, whole)
        return
    if not prediction.segments and not prediction.detections:
        whole += certainty(prediction.confidence)
    if whole:
        yield _series_group(context, whole, key_slice)


def _series_group(
    context: ResultContext, measurements: Sequence[Measurement], key_slice: int
) -> sr.MeasurementsAndQualitativeEvaluations:
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=context.uid("tracking", "series"), identifier=f"{context.model.name} series"
        ),
        algorithm_id=algorithm(context),
        measurements=numbers(measurements, coordinates=[frame_corner(context.source, key_slice)]),
    )
