"""Standardised uptake values of PET (PS3.3 §C.8.9.1, §C.8.9.4).

SUVbw is activity concentration (Bq/mL) times body weight (g) over the dose (Bq) that is left at the time to
which the images are decay corrected.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydicom.valuerep import DA, DT, TM

from inference.preprocess.frames import value_of
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from inference.preprocess.frames import Frame

#: Philips: "Philips PET Private Group" with the factors to SUVbw and to Bq/mL.
_PHILIPS_CREATOR = "Philips PET Private Group"
_SUV_FACTOR, _ACTIVITY_FACTOR = 0x00, 0x09
#: Nobody is scanned later than this after an injection.
_LONGEST = timedelta(hours=24)


def suv_factor(frames: Sequence[Frame]) -> float:
    """What the rescaled values of a PET series are multiplied with to give SUVbw (g/mL).

    Parameters
    ----------
    frames
        All of the series; it is decay corrected to its start, so the earliest acquisition counts.

    Raises
    ------
    VolumeRefused
        Rule `suv`, with what is missing or contradicts itself.

    References
    ----------
    PS3.3 §C.8.9.1.1.3 (Units), §C.8.9.1.1.6 (Decay Correction); QIBA FDG-PET/CT profile (vendor-neutral
    pseudo-code for SUV)
    """
    ds = frames[0].ds
    if value_of(ds, "Modality") != "PT":
        raise VolumeRefused("suv", "SUV is asked for, and the series is no PET")
    units = str(value_of(ds, "Units") or "")
    if any(str(value_of(frame.ds, "Units") or "") != units for frame in frames):
        raise VolumeRefused("suv", "the slices have different units")
    if units == "GML":
        if str(value_of(ds, "SUVType") or "BW") != "BW":
            raise VolumeRefused("suv", "the series holds SUV that are not by body weight")
        return 1.0
    if units == "CNTS":
        suv = _philips(ds, _SUV_FACTOR)
        if suv is not None:
            return suv
        activity = _philips(ds, _ACTIVITY_FACTOR)
        if activity is None:
            raise VolumeRefused("suv", "the series holds counts, and no factor that makes SUV of them")
        return activity * _per_activity(ds, frames)
    if units != "BQML":
        raise VolumeRefused("suv", "the series' units are none that SUV can be computed from")
    return _per_activity(ds, frames)


def _per_activity(ds: Dataset, frames: Sequence[Frame]) -> float:
    corrections = value_of(ds, "CorrectedImage")
    words = [corrections] if isinstance(corrections, str) else list(corrections or ())
    if not {"ATTN", "DECY"} <= set(words):
        raise VolumeRefused("suv", "the series is not corrected for attenuation and decay")
    weight = _number(ds, "PatientWeight", "the patient's weight")
    item = _radiopharmaceutical(ds)
    dose = _number(item, "RadionuclideTotalDose", "the injected dose")
    correction = value_of(ds, "DecayCorrection")
    if correction == "START":
        half_life_s = _number(item, "RadionuclideHalfLife", "the half-life")
        elapsed = _since_injection(item, ds, _start(frames))
        if not timedelta(0) <= elapsed <= _LONGEST:
            raise VolumeRefused("suv", "the times of injection and scan contradict each other")
        dose *= 2.0 ** (-elapsed.total_seconds() / half_life_s)
    elif correction != "ADMIN":
        raise VolumeRefused("suv", "the time to which the series is decay corrected is not told")
    return weight * 1000.0 / dose


def _radiopharmaceutical(ds: Dataset) -> Dataset:
    items = value_of(ds, "RadiopharmaceuticalInformationSequence")
    if items is None or len(items) != 1:
        raise VolumeRefused("suv", "the series does not tell of one radiopharmaceutical")
    item: Dataset = items[0]
    return item


def _since_injection(item: Dataset, ds: Dataset, start: datetime) -> timedelta:
    moment: datetime | None = _parsed(DT, value_of(item, "RadiopharmaceuticalStartDateTime"))
    if moment is not None:
        # Wall clock of the same scanner, whatever its offset from UTC.
        return start - moment.replace(tzinfo=None)
    clock = value_of(item, "RadiopharmaceuticalStartTime")
    elapsed = start - _moment(value_of(ds, "SeriesDate"), clock, "the time of injection")
    # A clock without a date may have passed midnight.
    return elapsed + timedelta(days=1) if elapsed < timedelta(0) else elapsed


def _start(frames: Sequence[Frame]) -> datetime:
    """Series time, or the earliest acquisition where series time is that of a later processing."""
    ds = frames[0].ds
    acquired = [
        _moment(
            value_of(frame.ds, "AcquisitionDate"),
            value_of(frame.ds, "AcquisitionTime"),
            "the time of the scan",
        )
        for frame in frames
    ]
    series = _moment(value_of(ds, "SeriesDate"), value_of(ds, "SeriesTime"), "the time of the series")
    return min(series, *acquired)


def _moment(date: Any, time: Any, what: str) -> datetime:
    day, clock = _parsed(DA, date), _parsed(TM, time)
    if day is None or clock is None:
        raise VolumeRefused("suv", f"{what} is missing (removed by de-identification, perhaps)")
    return datetime.combine(day, clock)


def _parsed(kind: Any, value: Any) -> Any:
    try:
        return kind(str(value)) if value is not None else None
    except (TypeError, ValueError):
        return None


def _number(ds: Dataset, keyword: str, what: str) -> float:
    value = value_of(ds, keyword)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise VolumeRefused("suv", f"{what} is missing (removed by de-identification, perhaps)")
    return number


def _philips(ds: Dataset, offset: int) -> float | None:
    try:
        value = ds.private_block(0x7053, _PHILIPS_CREATOR)[offset].value
        number = float(value)
    except (KeyError, TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
