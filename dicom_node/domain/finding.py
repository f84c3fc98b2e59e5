"""What a model found, before it becomes DICOM objects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.run import Reason, RunStatus


class Task(StrEnum):
    """What a model does."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    DETECTION = "detection"
    MEASUREMENT = "measurement"


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
class ClassFinding:
    """One class of a classifier, for the whole series.

    Attributes
    ----------
    name
        In the manifest.
    code
        The finding that it stands for.
    probability
        Calibrated, 0 to 1.
    abnormal
        Whether the class is a finding (glioma) and not the lack of one (no tumour).
    present
        Whether the model says that it is there.
    """

    name: str
    label: str
    code: Code
    probability: float
    abnormal: bool
    present: bool


@dataclass(frozen=True, slots=True)
class Detection:
    """A box around something.

    Attributes
    ----------
    number
        From 1, the surest first.
    score
        0 to 1.
    box
        Slice, row and column where it begins and where it ends, in voxels of the source: the first voxel
        reaches from 0 to 1. A box on one slice `i` is from `i` to `i + 1`.
    cielab
        Recommended display colour, as in `Segment`.
    """

    number: int
    label: str
    code: Code
    score: float
    box: tuple[float, float, float, float, float, float]
    anatomic_region: Code | None
    cielab: tuple[float, float, float]
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class ParametricMap:
    """A number for each voxel: the array `map_<name>` with its quantity and UCUM unit."""

    name: str
    label: str
    quantity: Code
    unit: Code


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the array `heat` was made.

    Attributes
    ----------
    method
        For people: "Grad-CAM", say.
    target
        Label of the class that it explains.
    """

    method: str
    target: str


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
        slice normal). For one multi-frame instance: its UID once; `source_frames` then names the frames.
        Of a rejected run: the instances of its series, as far as they are known.
    source_frames
        Frame numbers (from 1) of the arrays' first axis where the source is one multi-frame instance.
    arrays
        A NumPy `.npz` archive, opaque to all but `inference`; each array where the model gives it:
        `mask` uint8 (slices, rows, columns), 0 is background; `probability` float16 of the same shape,
        0 to 1; `heat` float16 (n, rows, columns), 0 to 1, more is warmer, and `heat_index` int32 (n,), the
        source slice of each; `slice_index` int32 (k,) and `slice_probability` float32 (k, classes), what a
        classifier said of single slices; `map_<name>` float32 (slices, rows, columns), in the unit of the
        `ParametricMap`. Empty where status is not DONE.
    classes, detections, maps, explanation
        What classifiers, detectors and mappers found.
    region
        Where in the body the finding is, for those without segments.
    reasons
        What the gates said.
    notices
        Sentences for people that belong into the full report (limits, intended use).
    elapsed_s
        Seconds of the model's own work; of series that it worked on together, an equal share.
    spacing_mm
        Of the source's voxels along slices, rows and columns; `None` where it is not known in the patient.
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
    task: Task = Task.SEGMENTATION
    classes: tuple[ClassFinding, ...] = ()
    detections: tuple[Detection, ...] = ()
    maps: tuple[ParametricMap, ...] = ()
    explanation: Explanation | None = None
    region: Code | None = None
    source_frames: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
