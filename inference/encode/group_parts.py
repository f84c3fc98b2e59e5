"""What measurement groups of all tasks are made of (PS3.16 TID 300, TID 1501, TID 4019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom import sr

from dicom_node.domain.finding import Code, Measurement
from inference.encode.coding import concept, sct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Prediction
    from inference.encode.context import ResultContext, RunContext
    from inference.encode.source import SourceSeries

_CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
_PERCENT = Code("%", "UCUM", "percent")
#: PS3.16 CID 240.
PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")
#: Where the corner's point is, as a share of rows and columns: inside the first pixels of any matrix.
_CORNER = 0.01
# PS3.16 CID 244, by Image Laterality (PS3.3 §C.8.11.1) and Laterality (PS3.3 §C.7.3.1).
_SIDES = {
    "L": ("7771000", "Left"),
    "R": ("24028007", "Right"),
    "B": ("51440002", "Bilateral"),
    "U": ("66459002", "Unilateral"),
}


def certainty(share: float | None) -> tuple[Measurement, ...]:
    """A confidence or score of 0 to 1 as Certainty of Finding in percent; nothing where there is none."""
    return () if share is None else (Measurement(_CERTAINTY, round(100 * share, 1), _PERCENT),)


def percent(name: Code, share: float) -> Measurement:
    """A share of 0 to 1 in percent."""
    return Measurement(name, round(100 * share, 1), _PERCENT)


def numbers(
    measurements: Iterable[Measurement],
    *,
    sites: Sequence[sr.FindingSite] = (),
    coordinates: Sequence[sr.CoordinatesForMeasurement] | None = None,
) -> list[sr.Measurement]:
    """Measurements as numbers of a group (TID 300), with where in the body they were taken."""
    return [
        sr.Measurement(
            name=concept(measurement.name),
            value=measurement.value,
            unit=concept(measurement.unit),
            finding_sites=list(sites) or None,
            referenced_coordinates=coordinates,
        )
        for measurement in measurements
    ]


def algorithm(context: RunContext) -> sr.AlgorithmIdentification:
    """The model as a group names it (TID 4019)."""
    model = context.model
    return sr.AlgorithmIdentification(
        name=model.name, version=model.version, family=concept(model.family), manufacturer=model.manufacturer
    )


def evaluation(of: Code, present: bool) -> sr.QualitativeEvaluation:
    """Whether something is there."""
    return sr.QualitativeEvaluation(name=concept(of), value=concept(PRESENT if present else ABSENT))


def finding_sites(region: Code | None, header: Dataset) -> list[sr.FindingSite]:
    """Where in the body a finding is, with the side that the image says it is of.

    On numbers, not on groups: OHIF writes the code of a group's site into the picture.
    """
    if region is None:
        return []
    side = _SIDES.get(str(header.get("ImageLaterality") or header.get("Laterality") or ""))
    return [sr.FindingSite(concept(region), sct(*side) if side else None)]


def image_of(source: SourceSeries, index: int) -> sr.SourceImageForRegion:
    """The slice that coordinates lie on: its instance, and its frame where that has several."""
    image, frame = source.slices[index], source.frame_number(index)
    return sr.SourceImageForRegion(
        image.SOPClassUID, image.SOPInstanceUID, None if frame is None else [frame]
    )


def frame_corner(source: SourceSeries, index: int) -> sr.CoordinatesForMeasurement:
    """The upper left corner of a slice, for numbers that are of no part of it: OHIF draws only coordinates.

    Not the slice's edge: OHIF puts the numbers to the right of a shape, where they cannot be read.
    """
    _, rows, columns = source.shape
    return sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POINT,
        graphic_data=np.array([[columns * _CORNER, rows * _CORNER]], dtype=np.float32),
        source_image=image_of(source, index),
    )


def rectangle(start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float32]:
    """A closed polyline (5, 2) of column and row from two corners (row, column)."""
    (top, left), (bottom, right) = start, end
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return np.array(corners, dtype=np.float32)


def of_whole_series(prediction: Prediction) -> list[Measurement]:
    """What is measured on the series as a whole, and no segment or box has already."""
    of_parts = [m for segment in prediction.segments for m in segment.measurements]
    of_parts += [m for detection in prediction.detections for m in detection.measurements]
    said = {(measurement.name, measurement.value) for measurement in of_parts}
    return [m for m in prediction.measurements if (m.name, m.value) not in said]


def tracking(context: ResultContext, key: int | str, label: str) -> sr.TrackingIdentifier:
    """The identifiers under which a finding is followed from object to object."""
    return sr.TrackingIdentifier(uid=context.tracking_uid(key), identifier=f"{label} ({context.model.name})")
