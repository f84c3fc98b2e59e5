"""Packages against structured reports: ours, highdicom's and strangers', through the node's own router."""

from dataclasses import replace

import highdicom as hd
import pydicom
import pytest
from highdicom import sr
from model_series import MemoryStudy
from predicted_series import derive_uid, make_case
from predicted_tasks import classified, detected, make_task
from pydicom.sr.codedict import codes
from reference_packages import (
    ABSENT,
    BRAIN,
    FINDING,
    GLIOMA,
    LENGTH,
    MENINGIOMA,
    NODULE,
    PRESENT,
    VOLUME,
    Engine,
    box_at,
    evaluate,
    nodule,
    registry,
    reports_of,
)
from reference_reports import code, container, drawn, group, image, number, report, with_reports

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Code, Measurement
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from inference.evaluation.report import complete, write_report
from inference.evaluation.segmentations import evaluate_studies

__all__ = ["registry"]


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
        ds.SOPInstanceUID, ds.PatientID, ds.PatientSex = derive_uid(uid, name), name, "M"
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
    assert made["references"] == {
        "read": 4,
        "used": 4,
        "made_by_algorithms": 4,
        "left_out": {},
        "parts_left_out": {},
    }
    assert made["behind_gates"] == {"answered": 2, "of": 2, "refused_for": {}}
    assert [one["accuracy"] for one in made["subgroups"]["sex"].values()] == [1.0, 0.0]
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


def test_group_on_images_that_are_not_there_is_not_taken_for_another_series(registry, tumour):
    here, gone = list(tumour.study.data), "1.2.3.4"
    one = report(group(code(FINDING, MENINGIOMA), image(gone)), group(code(FINDING, GLIOMA)), evidence=here)
    made, _ = evaluate(registry, "classes", Engine(says(tumour, 0.9)), with_reports(tumour.study, one))
    assert made["figures"]["confusion"][0] == [1, 0, 0]
    assert made["references"]["parts_left_out"] == {"a group whose images are not in the folder": 1}


def test_operator_is_told_when_the_reports_are_the_packages_own(registry, tumour):
    prediction = replace(tumour.prediction, model=replace(tumour.prediction.model, name="classes"))
    study = with_reports(tumour.study, *reports_of(replace(tumour, prediction=prediction)))
    _, told = evaluate(registry, "classes", Engine(says(tumour, 0.9)), study)
    assert any("agrees with itself" in line for line in told)


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
