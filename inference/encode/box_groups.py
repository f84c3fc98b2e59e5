"""Measurement groups of a detector's boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom import sr

from dicom_node.domain.finding import Code, Measurement
from inference.encode.coding import concept
from inference.encode.group_parts import algorithm, certainty, finding_sites, image_of, numbers, rectangle
from inference.encode.key_slices import middle_slice
from inference.preprocess.spacing import SpacingMeaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.domain.finding import Detection
    from inference.encode.context import ResultContext
    from inference.encode.source import SourceSeries

#: A size at the detector is not the size in the patient.
_IN_PATIENT = frozenset({SpacingMeaning.PATIENT, SpacingMeaning.CALIBRATED})
_MM = Code("mm", "UCUM", "millimeter")
#: PS3.16 CID 7470, for the extents of a box along slices, rows and columns.
_EXTENTS = (
    Code("131197000", "SCT", "Depth"),
    Code("121207", "DCM", "Height"),
    Code("103355008", "SCT", "Width"),
)


def box_groups(context: ResultContext) -> Iterator[sr.MeasurementsAndQualitativeEvaluations]:
    """Yield a planar group (TID 1410) for each box, on its middle slice, with score and size.

    A box over several slices has a volumetric group (TID 1411) too, with its outline on each slice and its
    depth; both have one Tracking UID. The planar group comes first: OHIF draws its outline, and shows the
    numbers of both.
    """
    for detection in context.prediction.detections:
        yield _planar_group(context, detection)
        slices = _slices_of(detection, context.source.shape[0])
        if len(slices) > 1:
            yield _volumetric_group(context, detection, slices)


def box_size(source: SourceSeries, detection: Detection) -> dict[str, Measurement]:
    """Depth, height and width of a box in mm, as far as the source knows; keys are their names.

    The depth only of a box over several slices, and only where the distance of slices is known.
    """
    if source.spacing_meaning not in _IN_PATIENT:
        return {}
    spacing = (source.slice_spacing or 0.0, *source.spacing)
    start, end = np.array(detection.box[:3]), np.array(detection.box[3:])
    sizes = (end - start) * spacing
    deep = len(_slices_of(detection, source.shape[0])) > 1 and source.slice_spacing is not None
    return {
        name.meaning: Measurement(name, round(float(size), 1), _MM)
        for name, size in zip(_EXTENTS, sizes, strict=True)
        if name is not _EXTENTS[0] or deep
    }


def _slices_of(detection: Detection, slices: int) -> range:
    """The slices that a box reaches through by at least half."""
    first, last = round(detection.box[0]), round(detection.box[3])
    return range(max(0, first), min(slices, max(last, first + 1)))


def _planar_group(
    context: ResultContext, detection: Detection
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    source = context.source
    size = box_size(source, detection)
    extents = [size[name] for name in ("Height", "Width") if name in size]
    measured = [*certainty(detection.score), *_others(detection, extents), *extents]
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        referenced_region=_region(source, detection, middle_slice(detection.box, source.shape[0])),
        measurements=numbers(measured, sites=finding_sites(detection.anatomic_region, context.header)),
        **_arguments(context, detection),
    )


def _volumetric_group(
    context: ResultContext, detection: Detection, slices: range
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    size = box_size(context.source, detection)
    depth = [size["Depth"]] if "Depth" in size else []
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_regions=[_region(context.source, detection, index) for index in slices],
        measurements=numbers(depth, sites=finding_sites(detection.anatomic_region, context.header)) or None,
        **_arguments(context, detection),
    )


def _others(detection: Detection, extents: list[Measurement]) -> list[Measurement]:
    said = {extent.name for extent in extents}
    return [measurement for measurement in detection.measurements if measurement.name not in said]


def _region(source: SourceSeries, detection: Detection, index: int) -> sr.ImageRegion:
    _, rows, columns = source.shape
    top, left = np.clip(detection.box[1:3], 0, (rows, columns)).tolist()
    bottom, right = np.clip(detection.box[4:6], 0, (rows, columns)).tolist()
    return sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=rectangle((top, left), (bottom, right)),
        source_image=image_of(source, index),
    )


def _arguments(context: ResultContext, detection: Detection) -> dict[str, object]:
    """What all groups of a box say."""
    return {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=context.tracking_uid(f"box-{detection.number}"),
            identifier=f"{detection.label} {detection.number} ({context.model.name})",
        ),
        "finding_type": concept(detection.code),
        "algorithm_id": algorithm(context),
    }
