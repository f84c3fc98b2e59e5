"""How large the pixels of an image are, and what that is known from (PS3.3 §10.7, §C.7.6.5, §C.8.11.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from inference.preprocess.frames import value_of

if TYPE_CHECKING:
    from inference.preprocess.frames import Frame

#: Physical Units of an ultrasound region: centimetres.
_CENTIMETRE = 3


class SpacingMeaning(StrEnum):
    """Where a pixel's size holds."""

    #: In the patient, as tomography has it.
    PATIENT = "patient"
    #: In the patient, by a calibration of a projection, at the calibrated depth.
    CALIBRATED = "calibrated"
    #: At the detector: what lies nearer to the tube is smaller than it seems.
    DETECTOR = "detector"
    #: Not known: a distance in pixels means nothing.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Distance of rows and of columns in mm, 1 and 1 where it is unknown."""

    rows_mm: float
    columns_mm: float
    meaning: SpacingMeaning


def pixel_size(frame: Frame) -> PixelSize:
    """Size of a frame's pixels; never raises."""
    spacing = _pair(frame, "PixelSpacing")
    imager = _pair(frame, "ImagerPixelSpacing")
    if spacing is not None and frame.get("ImageOrientationPatient") is not None:
        return PixelSize(*spacing, SpacingMeaning.PATIENT)
    if spacing is not None and imager is None:
        # Without a detector's spacing it tells of no calibration (§10.7.1.3): a scanned film, a capture.
        calibrated = frame.get("PixelSpacingCalibrationType") is not None
        return PixelSize(*spacing, SpacingMeaning.CALIBRATED if calibrated else SpacingMeaning.PATIENT)
    if spacing is not None and spacing != imager:
        return PixelSize(*spacing, SpacingMeaning.CALIBRATED)
    if imager is not None:
        return PixelSize(*imager, SpacingMeaning.DETECTOR)
    region = _ultrasound(frame)
    if region is not None:
        return PixelSize(*region, SpacingMeaning.PATIENT)
    nominal = _pair(frame, "NominalScannedPixelSpacing")
    if nominal is not None:
        return PixelSize(*nominal, SpacingMeaning.DETECTOR)
    return PixelSize(1.0, 1.0, SpacingMeaning.UNKNOWN)


def _pair(frame: Frame, keyword: str) -> tuple[float, float] | None:
    values = frame.numbers(keyword)
    if values is None or values.size != 2 or values.min() <= 0:
        return None
    return float(values[0]), float(values[1])


def _ultrasound(frame: Frame) -> tuple[float, float] | None:
    """Of the only region, in centimetres both ways: several regions have several sizes."""
    regions = frame.get("SequenceOfUltrasoundRegions")
    if regions is None or len(regions) != 1:
        return None
    region = regions[0]
    units = [value_of(region, f"PhysicalUnits{axis}Direction") for axis in "XY"]
    deltas = [value_of(region, f"PhysicalDelta{axis}") for axis in "XY"]
    if units != [_CENTIMETRE, _CENTIMETRE] or not all(isinstance(d, float) and d != 0 for d in deltas):
        return None
    across, down = (abs(float(delta)) * 10 for delta in deltas)
    return down, across
