"""Reports of every task, on stacks, on frames of one instance, and on images without geometry."""

import io
from dataclasses import replace

import highdicom as hd
import pydicom
import pytest
from predicted_series import make_case, pack, pick
from predicted_tasks import (
    TASKS,
    as_frames,
    card_of,
    classified,
    detected,
    make_task,
    measured,
    without_geometry,
)

from dicom_node.domain.result import ResultKind
from inference.encode.checks.program import Validator
from inference.encode.choice import ResultChoice
from inference.encode.gate import Gate

OWN_RULES = Validator(program="no-such-program")
FINDINGS = [task for task in TASKS if task != "rejection"]


def items(parent):
    for item in parent.get("ContentSequence", ()):
        yield item
        yield from items(item)


def named(parent, meaning):
    return [
        i
        for i in items(parent)
        if i.get("ConceptNameCodeSequence") and i.ConceptNameCodeSequence[0].CodeMeaning == meaning
    ]


def read(result):
    return pydicom.dcmread(io.BytesIO(result.data))


def measurements_of(case, **options):
    return read(pick(case.encode(**options), ResultKind.SR))


def number(item):
    return float(item.MeasuredValueSequence[0].NumericValue)


@pytest.fixture(scope="module", params=[*TASKS])
def made(request):
    """Case and results of a task, on the odd matrix on which viewers fail first."""
    case = make_task(request.param, slices=7, rows=33, columns=29)
    return case, case.encode(choice=ResultChoice(), card=card_of)


def test_programs_find_no_fault_in_any_report(made, run_tool):
    _, results = made
    for result in results:
        if result.kind in (ResultKind.SR, ResultKind.PDF):
            _, lines = run_tool("dciodvfy", result.data)
            assert [line for line in lines.splitlines() if line.startswith("Error")] == []
        if result.kind is ResultKind.SR:
            printed, faults = run_tool("dsrdump", result.data)
            assert "=SEPARATE>" in printed
            assert [line for line in faults.splitlines() if line[:2] in ("E:", "F:")] == []


def test_gate_lets_every_report_pass(made):
    case, results = made
    assert Gate(OWN_RULES).check(results, case.study) == {}


def test_every_report_says_what_the_card_says(made):
    _, results = made
    report = read([result for result in results if result.kind is ResultKind.SR][-1])
    said = {i.TextValue for i in items(report) if i.ValueType == "TEXT"}
    assert {"Research on adult heads.", "Never tried on children.", "Metal confuses it."} <= said
    assert "Calibrated by temperature scaling: 80 % means right in 80 of 100." in said
    assert [s.CodingSchemeDesignator for s in report.CodingSchemeIdentificationSequence] == ["99DICOMNODE"]


@pytest.mark.parametrize("task", FINDINGS)
def test_highdicom_reads_the_same_numbers(task):
    case = make_task(task, slices=7, rows=33, columns=29)
    prediction = case.prediction
    report = pick(case.encode(), ResultKind.SR)
    content = hd.sr.srread(io.BytesIO(report.data)).content
    groups = [
        *content.get_image_measurement_groups(),
        *content.get_planar_roi_measurement_groups(),
        *content.get_volumetric_roi_measurement_groups(),
    ]
    found = {(m.name.meaning, m.value) for group in groups for m in group.get_measurements()}
    expected = {("Certainty of Finding", round(100 * prediction.confidence, 1))}
    expected |= {(f"Probability of {c.label}", round(100 * c.probability, 1)) for c in prediction.classes}
    expected |= {("Certainty of Finding", round(100 * box.score, 1)) for box in prediction.detections}
    for part in (prediction, *prediction.segments, *prediction.detections):
        expected |= {(m.name.meaning, m.value) for m in part.measurements}
    assert expected <= found


def test_class_is_found_present_and_drawn_on_the_slice_that_says_most():
    case = classified(make_case(9, 33, 29))
    ds = measurements_of(case)
    assert [i.ConceptCodeSequence[0].CodeMeaning for i in named(ds, "Finding")] == ["Glioma"]
    assert {
        i.ConceptNameCodeSequence[0].CodeMeaning: i.ConceptCodeSequence[0].CodeMeaning
        for i in items(ds)
        if i.ValueType == "CODE" and i.ConceptCodeSequence[0].CodeMeaning in ("Present", "Absent")
    } == {"Glioma": "Present", "Meningioma": "Absent", "No tumour": "Absent"}
    scoord = named(ds, "Probability of Glioma")[0].ContentSequence[0]
    # In a corner, where it points at nothing and its numbers stand inside the picture.
    assert scoord.GraphicType == "POINT"
    assert max(scoord.GraphicData) < 1
    image = scoord.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == case.prediction.source_sop_instance_uids[6]


def test_several_classes_at_once_have_no_single_finding():
    case = classified(make_case(9, 33, 29))
    both = tuple(one if one.name == "none" else replace(one, present=True) for one in case.prediction.classes)
    ds = measurements_of(case, classes=both)
    assert not named(ds, "Finding")
    assert named(ds, "Meningioma")[0].ConceptCodeSequence[0].CodeMeaning == "Present"


def test_box_is_drawn_on_its_middle_slice_with_score_and_size():
    case = detected(make_case(9, 40, 30, spacing=(0.5, 0.25)))
    ds = measurements_of(case)
    first, through, second = named(ds, "Measurement Group")
    assert number(named(first, "Certainty of Finding")[0]) == 83
    assert number(named(first, "Diameter")[0]) == 12.5
    assert number(named(first, "Height")[0]) == pytest.approx(27.5 * 0.5, abs=0.06)
    assert number(named(first, "Width")[0]) == pytest.approx(18 * 0.25, abs=0.06)
    (scoord,) = (i for i in items(first) if i.ValueType == "SCOORD")
    assert scoord.GraphicData == [5, 4, 23, 4, 23, 31.5, 5, 31.5, 5, 4]
    image = scoord.ContentSequence[0].ReferencedSOPSequence[0]
    assert image.ReferencedSOPInstanceUID == case.prediction.source_sop_instance_uids[4]
    # The same box through all of its slices, under the same tracking UID.
    assert number(named(through, "Depth")[0]) == 3 * 2.5
    assert (
        named(through, "Tracking Unique Identifier")[0].UID
        == named(first, "Tracking Unique Identifier")[0].UID
    )
    assert len([i for i in items(through) if i.ValueType == "SCOORD"]) == 3
    assert not named(second, "Depth")


@pytest.mark.parametrize("make", [classified, detected, measured])
def test_frames_of_one_instance_are_named_by_their_numbers(make):
    case = as_frames(make(make_case(8, 33, 29)))
    results = case.encode()
    ds = read(pick(results, ResultKind.SR))
    images = [i for i in items(ds) if i.ValueType == "IMAGE"]
    assert {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in images} == {
        next(iter(case.study.data))
    }
    assert {int(i.ReferencedSOPSequence[0].ReferencedFrameNumber) for i in images} <= set(range(1, 9))
    assert Gate(OWN_RULES).check(results, case.study) == {}


@pytest.mark.parametrize("make", [classified, detected, measured])
def test_images_without_geometry_get_reports_without_lengths(make):
    case = make(make_case(8, 33, 29, change=without_geometry))
    results = case.encode(choice=ResultChoice())
    assert Gate(OWN_RULES).check(results, case.study) == {}
    ds = read(pick(results, ResultKind.SR))
    assert not any(named(ds, name) for name in ("Height", "Width", "Depth"))
    assert any(i.ValueType == "SCOORD" for i in items(ds))


def test_segment_without_a_voxel_is_reported_absent_and_gets_no_segmentation():
    case = make_case(7, 33, 29)
    results = case.encode(arrays=pack(case.mask * 0, case.probability))
    assert not [result for result in results if result.kind is ResultKind.SEG]
    ds = read(pick(results, ResultKind.SR))
    assert named(ds, "Brain")[0].ConceptCodeSequence[0].CodeMeaning == "Absent"
    assert Gate(OWN_RULES).check(results, case.study) == {}


def test_side_of_the_image_goes_with_the_finding_site():
    def left(ds, index):
        ds.ImageLaterality = "L"

    ds = measurements_of(detected(make_case(9, 33, 29, change=left)))
    (site, *_) = named(ds, "Finding Site")
    (side,) = named(site, "Laterality")
    assert side.ConceptCodeSequence[0].CodeMeaning == "Left"
