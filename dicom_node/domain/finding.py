"""What a model found, before it becomes DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.run import Reason, RunStatus


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 §8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its concept and UCUM unit."""

    name: Code
    value: float
    unit: Code


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a label map.

    Attributes
    ----------
    number
        Its value in the prediction's mask, from 1.
    category, type, anatomic_region
        Codes of PS3.16 CID 7150, CID 7151 and CID 4031.
    cielab
        Recommended display colour as CIELab (L 0..100, a and b -128..127).
    """

    number: int
    label: str
    category: Code
    type: Code
    anatomic_region: Code | None
    cielab: tuple[float, float, float]
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Who made a finding: the values of Contributing Equipment and algorithm identification.

    `family` is a code of PS3.16 CID 7162 (e.g. 123110 DCM "Artificial Intelligence").
    """

    name: str
    version: str
    title: str
    manufacturer: str
    device_uid: str
    family: Code
    is_ai: bool = True


@dataclass(frozen=True, slots=True)
class Prediction:
    """The outcome of one run.

    Attributes
    ----------
    source_sop_instance_uids
        The instances that the arrays' first axis stands for, in that order (ascending along the
        slice normal).
    arrays
        A NumPy `.npz` archive, opaque to all but `inference`: `mask` uint8 (slices, rows, columns),
        0 is background; `probability` float16 of the same shape, 0 to 1. Empty where status is not
        DONE.
    reasons
        What the gates said.
    notices
        Sentences for people that belong into the full report (limits, intended use).
    elapsed_s
        Seconds of the model's own work.
    """

    model: ModelIdentity
    series_instance_uid: str
    status: RunStatus
    reason: str | None = None
    label: str | None = None
    confidence: float | None = None
    segments: tuple[Segment, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    source_sop_instance_uids: tuple[str, ...] = ()
    arrays: bytes = b""
    reasons: tuple[Reason, ...] = ()
    notices: tuple[str, ...] = ()
    elapsed_s: float = 0.0
