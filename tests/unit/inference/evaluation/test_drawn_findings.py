"""Detectors against what reports draw: every shape, where it was drawn, on slices of every direction."""

import numpy as np
import pydicom
import pytest
from predicted_series import derive_uid, make_case
from predicted_tasks import as_frames, detected, make_task
from reference_packages import ABSENT, FINDING, NODULE, Engine, box_at, evaluate, nodule, registry, reports_of
from reference_reports import code, drawn, drawn_in_space, group, image, report, with_reports

from dicom_node.domain.errors import ConfigurationError
from dicom_node.domain.finding import Code
from inference.evaluation.sr.boxes import drawn_findings
from inference.evaluation.sr.content import read_report
from inference.evaluation.sr.grid import read_grid

__all__ = ["registry"]


@pytest.fixture(scope="module")
def nodules():
    return make_task("detection")


@pytest.mark.parametrize("plane", ["axial", "oblique"])
def test_boxes_of_our_own_reports_come_back_as_they_were(registry, plane):
    case = detected(make_case(slices=9, plane=plane))
    study = with_reports(case.study, *reports_of(case))
    made, _ = evaluate(registry, "boxes", Engine(case.prediction), study, overlap=0.7)
    figures = made["figures"]["Nodule"]
    assert next(iter(figures)) == "false_negative_rate"
    assert (figures["sensitivity"], figures["findings"], figures["boxes"]) == (1.0, 2, 2)
    assert figures["false_positives_per_study"] == 0


def in_space(case, points):
    """Slice, row and column of voxel centres as LPS, mm."""
    first = pydicom.dcmread(pydicom.filebase.DicomBytesIO(next(iter(case.study.data.values()))))
    cosines = np.array(first.ImageOrientationPatient, float)
    steps = [2.5 * np.cross(cosines[:3], cosines[3:]), first.PixelSpacing[0] * cosines[3:]]
    steps.append(first.PixelSpacing[1] * cosines[:3])
    return (
        (np.array(points, float) @ np.array(steps) + np.array(first.ImagePositionPatient, float))
        .ravel()
        .tolist()
    )


SHAPES = {
    "circle": lambda case, uid: drawn("CIRCLE", [10, 20, 13, 24], uid),
    "ellipse": lambda case, uid: drawn("ELLIPSE", [7, 20, 13, 20, 10, 12, 10, 28], uid),
    "outline": lambda case, uid: drawn("POLYLINE", [5, 15, 15, 15, 10, 25, 5, 15], uid),
    "polygon in space": lambda case, uid: drawn_in_space(
        "POLYGON", in_space(case, [(4, 14.5, 4.5), (4, 14.5, 14.5), (4, 24.5, 9.5), (4, 14.5, 4.5)]),
        derive_uid("frame of reference")),
    "ellipsoid in space": lambda case, uid: drawn_in_space(
        "ELLIPSOID",
        in_space(case, [(2.5, 19.5, 9.5), (5.5, 19.5, 9.5), (4, 9.5, 9.5), (4, 29.5, 9.5), (4, 19.5, 4.5),
                        (4, 19.5, 14.5)]),
        derive_uid("frame of reference")),
}  # fmt: skip
EXPECTED = {
    "circle": (4, 15, 5, 5, 25, 15),
    "ellipse": (4, 12, 7, 5, 28, 13),
    "outline": (4, 15, 5, 5, 25, 15),
    "polygon in space": (4, 15, 5, 5, 25, 15),
    "ellipsoid in space": (3, 10, 5, 6, 30, 15),
}


@pytest.mark.parametrize("plane", ["axial", "sagittal", "oblique"])
@pytest.mark.parametrize("shape", SHAPES)
def test_box_round_each_shape_is_where_it_was_drawn(shape, plane):
    case = make_case(slices=9, plane=plane, spacing=(1.0, 0.5))
    made = read_report(report(nodule(SHAPES[shape](case, list(case.study.data)[4]))))
    grid = read_grid(case.study, case.prediction)
    (found,) = drawn_findings(made.passages, [Code(*NODULE, "Nodule")], grid)
    assert found.box == pytest.approx(EXPECTED[shape], abs=1e-3)


def test_groups_of_one_tracking_uid_are_one_finding_and_readers_who_agree_too(registry, nodules):
    uids = list(nodules.study.data)
    outline = [5, 15, 15, 15, 15, 25, 5, 25, 5, 15]
    stack = [nodule(drawn("POLYLINE", outline, uids[index]), uid="1.2.3") for index in (3, 4, 5)]
    again = nodule(*[drawn("POLYLINE", outline, uids[index]) for index in (3, 4, 5)], uid="4.5.6")
    study = with_reports(nodules.study, report(*stack), report(again))
    made, _ = evaluate(registry, "boxes", Engine(box_at(nodules, 3, 15, 5, 6, 25, 15)), study, overlap=0.99)
    figures = made["figures"]["Nodule"]
    assert (figures["findings"], figures["sensitivity"]) == (1, 1.0)
    assert made["references"]["parts_left_out"] == {"a finding that several groups draw is counted once": 1}


def test_codes_of_snomed_rt_are_those_of_snomed_ct(registry, nodules):
    """As systems wrote them before 2019."""
    shape = drawn("CIRCLE", [10, 20, 13, 24], list(nodules.study.data)[4])
    one = report(group(code(FINDING, ("M-03010", "SRT")), code(("M-03010", "SRT"), ("G-A203", "SRT")), shape))
    study = with_reports(nodules.study, one)
    made, _ = evaluate(registry, "boxes", Engine(box_at(nodules, 4, 15, 5, 5, 25, 15)), study)
    assert made["figures"]["Nodule"]["sensitivity"] == 1.0


def test_finding_on_a_frame_is_on_the_slice_of_that_frame(registry):
    case = as_frames(detected(make_case(slices=9)))
    (uid,) = case.study.data
    ours = with_reports(case.study, *reports_of(case))
    made, _ = evaluate(registry, "boxes", Engine(case.prediction), ours, overlap=0.7)
    assert made["figures"]["Nodule"]["sensitivity"] == 1.0
    outline = [5, 15, 15, 15, 15, 25, 5, 25, 5, 15]
    one = report(nodule(drawn("POLYLINE", outline, uid, frame=5)), evidence=[uid])
    engine = Engine(box_at(case, 4, 15, 5, 5, 25, 15))
    made, _ = evaluate(registry, "boxes", engine, with_reports(case.study, one), overlap=0.99)
    assert made["figures"]["Nodule"]["sensitivity"] == 1.0
    unsaid = report(nodule(drawn("POLYLINE", outline, uid)), evidence=[uid])
    with pytest.raises(ConfigurationError, match="an image that the model was not given"):
        evaluate(registry, "boxes", engine, with_reports(case.study, unsaid))


def test_study_without_findings_counts_where_its_report_says_so(registry, nodules):
    study = with_reports(nodules.study, report(group(code(NODULE, ABSENT))))
    made, _ = evaluate(registry, "boxes", Engine(nodules.prediction), study)
    figures = made["figures"]["Nodule"]
    assert (figures["false_negative_rate"], figures["false_positives_per_study"]) == (None, 2.0)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (lambda uid: drawn("POINT", [3, 4], uid), "no extent"),
        (lambda uid: drawn("POLYLINE", [3, 4, 9, 4], uid), "no extent"),
        (lambda uid: drawn("CIRCLE", [3, 4], uid), "without centre and edge"),
        (lambda uid: drawn("POLYLINE", [3, 4, 9, 9], "1.2.3"), "none of the images"),
        (lambda uid: drawn_in_space("POLYGON", [0, 0, 0, 9, 9, 0], "1.2.3"), "another frame of reference"),
        (lambda uid: image(uid), "not drawn"),
    ],
)
def test_finding_that_makes_no_box_leaves_its_study_out_with_the_reason(registry, nodules, shape, why):
    one = report(nodule(shape(next(iter(nodules.study.data)))), evidence=nodules.study.data)
    with pytest.raises(ConfigurationError, match=why) as caught:
        evaluate(registry, "boxes", Engine(nodules.prediction), with_reports(nodules.study, one))
    assert '(27925004, SCT, "Nodule")' in str(caught.value)
