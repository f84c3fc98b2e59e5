"""Packages against structured reports: ours, highdicom's and strangers', through the node's own router."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom import sr
from model_series import MemoryStudy
from predicted_series import derive_uid, make_case
from predicted_tasks import as_frames, classified, detected, make_task
from pydicom.sr.codedict import codes
from reference_reports import (
    code,
    container,
    drawn,
    drawn_in_space,
    group,
    image,
    number,
    report,
    tracked,
    with_reports,
)
from toy_package import toy_manifest, write_package

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Code, Measurement
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from inference.evaluation.report import complete, write_report
from inference.evaluation.reports import evaluate_reports
from inference.evaluation.segmentations import evaluate_studies
from inference.evaluation.sr.boxes import drawn_findings
from inference.evaluation.sr.content import read_report
from inference.evaluation.sr.grid import read_grid
from inference.registry import ModelRegistry

GLIOMA, MENINGIOMA, NONE = ("393564001", "SCT"), ("302820008", "SCT"), ("272519000", "SCT")
NODULE = ("27925004", "SCT")
FINDING = ("121071", "DCM", "Finding")
PRESENT, ABSENT = ("52101004", "SCT"), ("272519000", "SCT")
VOLUME, BRAIN = ("118565006", "SCT"), ("12738006", "SCT")


class Engine:
    """Answers with what a test has laid out for it, and remembers what it was asked."""

    def __init__(self, *predictions):
        self._left, self.asked = list(predictions), []

    def run(self, assignment, study, scratch, feeds):
        self.asked.append(assignment.series_instance_uid)
        answer = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, series_instance_uid=assignment.series_instance_uid)

    def close(self):
        pass


def raw(task, outputs, kind="volume"):
    manifest = toy_manifest() | {"task": task, "outputs": outputs}
    manifest["input"] |= {"kind": kind, "min_slices": 1}
    manifest["input"]["sop_classes"].append("1.2.840.10008.5.1.4.1.1.4.1")
    manifest["gates"] = {"before": [], "after": []}
    return manifest


CLASSES = {
    "label": "{class_label}",
    "classification": {
        "mode": "multi-class",
        "classes": [
            {"name": "glioma", "label": "Glioma", "code": [*GLIOMA, "Glioma"]},
            {"name": "meningioma", "label": "Meningioma", "code": [*MENINGIOMA, "Meningioma"]},
            {"name": "none", "label": "No tumour", "code": [*NONE, "No tumour"], "abnormal": False},
        ],
    },
}
BOXES = {
    "label": "{detections:.0f} boxes",
    "detections": [
        {"name": "nodule", "label": "Nodule", "code": [*NODULE, "Nodule"], "cielab": [60, 40, 30]}
    ],
}
VALUES = {
    "label": "Length",
    "measurements": [
        {"fact": "length", "name": ["410668003", "SCT", "Length"], "unit": ["mm", "UCUM", "mm"], "digits": 1}
    ],
}
LENGTH = ("410668003", "SCT")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    labels = raw(
        "classification", {**CLASSES, "classification": {**CLASSES["classification"], "mode": "multi-label"}}
    )
    packages = {
        "classes": raw("classification", CLASSES, "slices"),
        "labels": labels,
        "boxes": raw("detection", BOXES),
        "values": raw("measurement", VALUES),
        "mask": raw("segmentation", toy_manifest()["outputs"]),
    }
    for name, manifest in packages.items():
        write_package(folder / name, manifest | {"name": name})
    loaded = ModelRegistry.load([folder])
    assert not loaded.invalid
    return loaded


def evaluate(registry, package, engine, *studies, **options):
    told = []
    options = {"tell": told.append} | options
    made = evaluate_reports(registry, registry.get(package), studies, engine, **options)
    return made, told


def reports_of(case, **changes):
    return [made for made in case.encode(**changes) if made.kind is ResultKind.SR]


def says(case, glioma):
    """The case's prediction with this probability of glioma; the rest is meningioma's."""
    each = (glioma, 1 - glioma, 0.0)
    classes = [replace(one, probability=p) for one, p in zip(case.prediction.classes, each, strict=True)]
    return replace(case.prediction, classes=tuple(classes))


def another_study(study, name):
    """The same study as another one of another patient."""
    data = {}
    for uid, part10 in study.data.items():
        ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(part10))
        ds.StudyInstanceUID, ds.SeriesInstanceUID = derive_uid("study", name), derive_uid("series", name)
        ds.SOPInstanceUID, ds.PatientID = derive_uid(uid, name), name
        buffer = pydicom.filebase.DicomBytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        data[str(ds.SOPInstanceUID)] = buffer.getvalue()
    return replace(study, study_instance_uid=derive_uid("study", name), data=data)


@pytest.fixture(scope="module")
def tumour():
    return make_task("classification")


def test_classes_that_our_own_reports_name_are_the_truth(registry, tumour):
    """Two studies of two patients: one answer is right, one wrong."""
    other = replace(tumour, study=another_study(tumour.study, "second"))
    other = replace(
        other, prediction=replace(tumour.prediction, source_sop_instance_uids=tuple(other.study.data),
                                  series_instance_uid=derive_uid("series", "second"))
    )  # fmt: skip
    studies = [with_reports(case.study, *reports_of(case)) for case in (tumour, other)]
    made, told = evaluate(registry, "classes", Engine(says(tumour, 0.9), says(tumour, 0.2)), *studies)
    assert made["task"] == "classification"
    assert made["figures"]["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert made["references"] == {"read": 4, "used": 4, "left_out": {}, "parts_left_out": {}}
    assert made["behind_gates"] == {"answered": 2, "of": 2, "refused_for": {}}
    assert told == []


def test_class_of_a_report_by_highdicom_is_the_truth(registry, tumour):
    slices = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(part10)) for part10 in tumour.study.data.values()]
    evaluation = sr.QualitativeEvaluation(sr.CodedConcept(*MENINGIOMA, "Meningioma"), codes.SCT.Present)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_person_context=sr.ObserverContext(
                codes.DCM.Person, sr.PersonObserverIdentifyingAttributes("Reader^One")
            )
        ),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[
            sr.MeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(hd.UID(), "tumour"),
                source_images=[sr.SourceImageForMeasurementGroup.from_source_image(slices[3])],
                qualitative_evaluations=[evaluation],
            )
        ],
    )
    made = sr.ComprehensiveSR(
        evidence=slices, content=content[0], series_instance_uid=hd.UID(), series_number=9,
        sop_instance_uid=hd.UID(), instance_number=1, manufacturer="Elsewhere", is_complete=True,
    )  # fmt: skip
    figures, _ = evaluate(registry, "classes", Engine(says(tumour, 0.1)), with_reports(tumour.study, made))
    assert figures["figures"]["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_coded_impression_counts_and_the_request_does_not(registry, tumour):
    """A report without a single measurement."""
    asked = container(("55115-0", "LN", "Request"), code(FINDING, MENINGIOMA))
    found = container(("19005-8", "LN", "Impressions"), code(("121073", "DCM"), GLIOMA))
    one = report(asked, found, evidence=list(tumour.study.data), title=("18748-4", "LN", "Report"))
    made, _ = evaluate(registry, "classes", Engine(says(tumour, 0.9)), with_reports(tumour.study, one))
    assert made["figures"]["confusion"][0] == [1, 0, 0]


def test_class_is_the_one_that_is_left_where_all_others_are_absent(registry, tumour):
    one = report(group(code(GLIOMA, ABSENT), code(MENINGIOMA, ("2667000", "SCT"))))
    made, _ = evaluate(registry, "classes", Engine(says(tumour, 0.9)), with_reports(tumour.study, one))
    assert made["figures"]["confusion"] == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert made["figures"]["binary"]["counts"]["false_positive"] == 1


def test_labels_that_a_report_leaves_open_are_no_cases_of_that_label(registry, tumour):
    one = report(group(code(GLIOMA, PRESENT), code(MENINGIOMA, ("373068000", "SCT"))))
    made, _ = evaluate(registry, "labels", Engine(says(tumour, 0.9)), with_reports(tumour.study, one))
    assert made["task"] == "labels"
    assert made["figures"]["Glioma"]["binary"]["counts"]["true_positive"] == 1
    assert made["figures"]["Meningioma"] == {"cases": 0}


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (report(group(code(FINDING, ("233604007", "SCT")))), "says nothing of what the package gives"),
        (report(group(code(GLIOMA, ABSENT))), "which classes are absent"),
        (report(group(code(FINDING, GLIOMA)), group(code(FINDING, MENINGIOMA))), "several classes"),
        (report(group(code(FINDING, GLIOMA)), group(code(GLIOMA, ABSENT))), "both that a finding is there"),
        (report(group(code(FINDING, GLIOMA)), evidence=["1.2.3"]), "none of the images"),
        (report(), "no content"),
    ],
)
def test_reference_that_tells_no_class_is_refused_with_its_reason_and_the_codes_looked_for(
    registry, tumour, one, why
):
    with pytest.raises(ConfigurationError, match=why) as caught:
        evaluate(registry, "classes", Engine(), with_reports(tumour.study, one))
    assert '(393564001, SCT, "Glioma")' in str(caught.value)
    assert "Muster" not in str(caught.value)


def test_folder_without_reports_is_refused_with_what_to_do(registry, tumour):
    with pytest.raises(ConfigurationError, match="put the reference beside the images"):
        evaluate(registry, "classes", Engine(), with_reports(tumour.study))


def test_each_report_is_used_or_left_out_with_its_reason_and_named_to_the_operator_only(registry, tumour):
    first = report(group(code(FINDING, MENINGIOMA)))
    second = report(group(code(FINDING, GLIOMA)), replaces=[first.SOPInstanceUID])
    stray = report(group(code(FINDING, GLIOMA)), evidence=["1.2.3.4"])
    silent = report(group(code(FINDING, NODULE)))
    study = with_reports(tumour.study, first, second, stray, silent)
    made, told = evaluate(registry, "classes", Engine(says(tumour, 0.9)), study)
    assert made["figures"]["confusion"][0] == [1, 0, 0]
    assert made["references"]["read"] == 4
    assert made["references"]["used"] == 1
    assert made["references"]["left_out"] == {
        "a later version of it is there": 1,
        "none of the images that it names is in the folder": 1,
        "it says nothing of what the package gives": 1,
    }
    assert any(stray.SOPInstanceUID in line for line in told)
    assert stray.SOPInstanceUID not in str(made)


def test_what_gates_and_errors_keep_from_an_answer_is_counted(registry, tumour):
    why = Reason("series", "confidence", passed=False, text="low", kind=RejectionKind.CONFIDENCE)
    refused = replace(tumour.prediction, status=RunStatus.REJECTED, reasons=(why,))
    study = with_reports(tumour.study, report(group(code(FINDING, GLIOMA))))
    made, _ = evaluate(registry, "classes", Engine(refused), study)
    assert made["behind_gates"] == {"answered": 0, "of": 1, "refused_for": {"confidence": 1}}
    assert made["figures"] == {"cases": 0}
    made, _ = evaluate(registry, "classes", Engine(InferenceFailed("broken")), study)
    assert made["behind_gates"]["refused_for"] == {"error: inference-failed": 1}


def test_package_is_run_on_the_series_that_the_group_names(registry, tumour):
    """Of two series of a study the one that the router likes less."""
    small = make_case(slices=5)
    renamed = another_study(small.study, "few")
    for uid, part10 in list(renamed.data.items()):
        ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(part10))
        ds.StudyInstanceUID = tumour.study.study_instance_uid
        buffer = pydicom.filebase.DicomBytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        renamed.data[uid] = buffer.getvalue()
    both = replace(tumour.study, data={**tumour.study.data, **renamed.data})
    (few,) = {derive_uid("series", "few")}
    anywhere = with_reports(both, report(group(code(FINDING, GLIOMA))))
    engine = Engine(says(tumour, 0.9))
    evaluate(registry, "classes", engine, anywhere)
    assert engine.asked == [derive_uid("series")]
    named = with_reports(both, report(group(code(FINDING, GLIOMA), image(next(iter(renamed.data))))))
    engine = Engine(says(tumour, 0.9))
    evaluate(registry, "classes", engine, named)
    assert engine.asked == [few]


LARGEST = code(("121401", "DCM"), ("56851009", "SCT"), relation="HAS CONCEPT MOD")


def long(case, millimetres):
    length = Measurement(Code(*LENGTH, "Length"), millimetres, Code("mm", "UCUM", "mm"))
    return replace(case.prediction, measurements=(length,), segments=(), arrays=b"")


@pytest.mark.parametrize(("value", "unit", "known"), [(41.5, "mm", 41.5), (4.15, "cm", 41.5)])
def test_number_of_a_stranger_is_told_in_the_packages_unit(registry, value, unit, known):
    case = make_case()
    study = with_reports(case.study, report(group(number(LENGTH, value, unit))))
    made, _ = evaluate(registry, "values", Engine(long(case, 43.0)), study)
    figures = made["figures"]["Length"]
    assert figures["each"] == [{"found": 43.0, "reference": pytest.approx(known)}]
    assert figures["bias"] == pytest.approx(1.5)
    assert figures["unit"] == "mm"


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([number(LENGTH, 3, "[in_i]")], "cannot be told in mm exactly"),
        ([group(number(LENGTH, 30, "mm")), group(number(LENGTH, 40, "mm"))], "several values"),
        ([group(number(LENGTH, 3, "mm", LARGEST))], "of other findings"),
    ],
)
def test_number_that_cannot_be_compared_is_refused_with_its_reason(registry, items, why):
    case = make_case()
    with pytest.raises(ConfigurationError, match=why) as caught:
        evaluate(registry, "values", Engine(long(case, 1.0)), with_reports(case.study, report(*items)))
    assert '(410668003, SCT, "Length") in mm' in str(caught.value)


def test_volume_of_a_segment_is_that_of_our_own_reports(registry):
    case = make_case()
    volume = case.prediction.segments[0].measurements[0].value
    study = with_reports(case.study, *reports_of(case))
    found = replace(case.prediction.segments[0].measurements[0], value=volume + 2)
    segment = replace(case.prediction.segments[0], measurements=(found,))
    made, _ = evaluate(registry, "mask", Engine(replace(case.prediction, segments=(segment,))), study)
    assert made["task"] == "measurement"
    assert made["figures"]["Bright: Volume"]["each"] == [
        {"found": pytest.approx(volume + 2), "reference": pytest.approx(volume)}
    ]


def test_volume_of_another_finding_is_not_taken_for_the_segments(registry):
    case = make_case()
    one = report(
        group(code(FINDING, ("40983000", "SCT")), number(VOLUME, 99, "mL")),
        group(code(FINDING, BRAIN), number(VOLUME, 8000, "mm3")),
    )
    made, _ = evaluate(registry, "mask", Engine(case.prediction), with_reports(case.study, one))
    assert made["figures"]["Bright: Volume"]["each"][0]["reference"] == pytest.approx(8.0)


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


def nodule(*shapes, uid="1.2.3"):
    return group(code(FINDING, NODULE), tracked(uid), *shapes)


def box_at(case, *box):
    one = replace(case.prediction.detections[0], box=tuple(map(float, box)))
    return replace(case.prediction, detections=(one,))


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
        (lambda uid: drawn("POLYLINE", [3, 4, 9, 9], "1.2.3"), "not given"),
        (lambda uid: drawn_in_space("POLYGON", [0, 0, 0, 9, 9, 0], "1.2.3"), "another frame of reference"),
        (lambda uid: image(uid), "not drawn"),
    ],
)
def test_finding_that_makes_no_box_leaves_its_study_out_with_the_reason(registry, nodules, shape, why):
    one = report(nodule(shape(next(iter(nodules.study.data)))), evidence=nodules.study.data)
    with pytest.raises(ConfigurationError, match=why) as caught:
        evaluate(registry, "boxes", Engine(nodules.prediction), with_reports(nodules.study, one))
    assert '(27925004, SCT, "Nodule")' in str(caught.value)


@pytest.mark.parametrize("package", ["classes", "labels", "values", "boxes"])
def test_reports_of_every_task_are_written_whole(registry, package, tmp_path):
    case = make_case(slices=6)
    one = report(
        group(code(FINDING, GLIOMA), code(MENINGIOMA, ABSENT), number(LENGTH, 40, "mm")),
        nodule(drawn("CIRCLE", [10, 20, 13, 24], list(case.study.data)[4])),
    )
    answers = {"values": long(case, 43.0), "boxes": box_at(detected(case), 4, 15, 5, 5, 25, 15)}
    answer = answers.get(package) or says(classified(make_case(slices=7)), 0.9)
    made, _ = evaluate(registry, package, Engine(answer), with_reports(case.study, one))
    whole = complete(made, registry.get(package), 0)
    paths = write_report(whole, tmp_path)
    page = paths[1].read_text()
    assert "<svg" in page
    assert "1 of 1 were used" in page
    assert paths[2].read_bytes().startswith(b"%PDF")
    for path in paths[:2]:
        assert "PSEUDO" not in path.read_text()


def test_segmentations_are_used_or_left_out_with_their_reason(registry):
    case = replace(make_case(), prediction=replace(make_case().prediction, spacing_mm=(2.5, 1.0, 1.0)))
    (mask,) = [made for made in case.encode() if made.kind is ResultKind.SEG]
    ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(mask.data))
    ds.SOPInstanceUID = derive_uid("a copy")
    study = with_reports(case.study, mask, ds)
    assert isinstance(study, MemoryStudy)
    told = []
    made = evaluate_studies(
        registry, registry.get("mask"), [study], Engine(case.prediction), tell=told.append
    )
    assert made["figures"]["Bright"]["each"][0]["dice"] == 1.0
    assert made["figures"]["Bright"]["each"][0]["volume_ml"] == pytest.approx(case.mask.sum() * 2.5 / 1000)
    assert made["references"]["left_out"] == {"another Segmentation of the same series is used": 1}
    assert len(told) == 1
