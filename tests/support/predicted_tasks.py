"""Predictions of every task on synthetic series, and a rejected one: what the reports are made of."""

import io
from dataclasses import replace

import numpy as np
import pydicom
from multi_frame import enhanced_mr
from predicted_series import entries_of, make_case

from dicom_node.domain.finding import ClassFinding, Code, Detection, Explanation, Measurement, Task
from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from inference.contract.card import ModelCard

BRAIN = Code("12738006", "SCT", "Brain")
CARD = ModelCard(
    intended_use="Research on adult heads.",
    training="200 heads of one hospital.",
    confidence="Calibrated by temperature scaling: 80 % means right in 80 of 100.",
    limits=("Never tried on children.", "Metal confuses it."),
    notices=(),
    references=("Somebody et al., A Journal, 2020.",),
)


def card_of(model):
    return CARD if model == "mr-brain-extraction" else None


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _class(name, label, code, probability, *, abnormal=True, present=False):
    return ClassFinding(name, label, Code(code, "SCT", label), probability, abnormal, present)


CLASSES = (
    _class("glioma", "Glioma", "393564001", 0.912, present=True),
    _class("meningioma", "Meningioma", "302820008", 0.05),
    _class("none", "No tumour", "272519000", 0.038, abnormal=False),
)


def classified(case, **changes):
    """The case with a classifier's prediction: heat on two slices, slice 6 says most."""
    shape = case.mask.shape
    index = np.array([2, 6], np.int32)
    prediction = replace(
        case.prediction,
        task=Task.CLASSIFICATION,
        label="Glioma",
        confidence=0.912,
        segments=(),
        measurements=(),
        classes=CLASSES,
        region=BRAIN,
        explanation=Explanation("Grad-CAM", "Glioma"),
        arrays=packed(
            heat=case.probability[index],
            heat_index=index,
            slice_index=np.array([2, 4, 6], np.int32),
            slice_probability=np.array([[0.7, 0.2, 0.1], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]], np.float32),
        ),
    )
    assert shape[0] > 6
    return replace(case, prediction=replace(prediction, **changes))


def detected(case, **changes):
    """The case with two boxes: one over slices 3 to 5, one on slice 1."""
    nodule = Code("27925004", "SCT", "Nodule")
    _, rows, columns = case.mask.shape
    boxes = (
        Detection(
            1,
            "Nodule",
            nodule,
            0.83,
            (3.0, 4.0, 5.0, 6.0, rows - 8.5, columns - 7.0),
            BRAIN,
            (60.0, 40.0, 30.0),
            (Measurement(Code("81827009", "SCT", "Diameter"), 12.5, Code("mm", "UCUM", "millimeter")),),
        ),
        Detection(2, "Nodule", nodule, 0.61, (1.0, 2.0, 3.0, 2.0, 9.0, 12.0), None, (60.0, 40.0, 30.0)),
    )
    prediction = replace(
        case.prediction,
        task=Task.DETECTION,
        label="2 nodules",
        confidence=0.83,
        segments=(),
        measurements=(),
        detections=boxes,
        arrays=b"",
    )
    return replace(case, prediction=replace(prediction, **changes))


def measured(case, **changes):
    """The case with numbers of the whole series only."""
    mean = Measurement(Code("373098007", "SCT", "Mean"), 37.25, Code("1", "UCUM", "no units"))
    prediction = replace(
        case.prediction,
        task=Task.MEASUREMENT,
        label="Mean 37.25",
        segments=(),
        measurements=(mean,),
        arrays=b"",
        region=BRAIN,
    )
    return replace(case, prediction=replace(prediction, **changes))


def rejected(case, *kinds, **changes):
    """The case with a run that gates ended."""
    reasons = [Reason("series", "modality", passed=True, text="The series is MR.")]
    reasons += [
        Reason("series", f"gate-{kind}", passed=False, text=f"Doubt: {kind}.", kind=kind) for kind in kinds
    ]
    prediction = replace(
        case.prediction,
        status=RunStatus.REJECTED,
        label=None,
        reason="Unable to determine: " + "; ".join(f"doubt: {kind}" for kind in kinds or ["unknown"]),
        confidence=None,
        segments=(),
        measurements=(),
        arrays=b"",
        reasons=tuple(reasons),
    )
    return replace(case, prediction=replace(prediction, **changes))


TASKS = {
    "segmentation": lambda case: case,
    "classification": classified,
    "detection": detected,
    "measurement": measured,
    "rejection": lambda case: rejected(case, RejectionKind.QUALITY),
}


def make_task(task, **options):
    """A case of a task, of 9 slices unless told otherwise."""
    return TASKS[task](make_case(**{"slices": 9, **options}))


def without_geometry(ds, index):
    """A `change` for `make_case`: images that have no place in the patient."""
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "PixelSpacing"):
        delattr(ds, keyword)


def as_frames(case):
    """The case with its slices as the frames of one Enhanced MR instance."""
    slices = [pydicom.dcmread(io.BytesIO(part10)) for part10 in case.study.data.values()]
    ds = enhanced_mr(slices)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    uid = str(ds.SOPInstanceUID)
    data = {uid: buffer.getvalue()}
    prediction = replace(
        case.prediction,
        source_sop_instance_uids=(uid,),
        source_frames=tuple(range(1, len(slices) + 1)),
    )
    study = replace(case.study, data=data, instances=tuple(entries_of(data)))
    return replace(case, study=study, prediction=prediction)
