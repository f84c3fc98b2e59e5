"""A rejection is a result: one report that says why, in words and codes, and nothing else."""

import io
from dataclasses import replace

import pydicom
import pytest
from predicted_series import make_case
from predicted_tasks import rejected, without_geometry

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import RejectionKind, RunStatus
from inference.encode.checks.program import Validator
from inference.encode.gate import Gate
from inference.gates.advice import advice

OWN_RULES = Validator(program="no-such-program")


def items(parent):
    for item in parent.get("ContentSequence", ()):
        yield item
        yield from items(item)


def coded(ds):
    """Name to the codes of all CODE items."""
    found = {}
    for item in items(ds):
        if item.ValueType == "CODE":
            code = item.ConceptCodeSequence[0]
            found.setdefault(item.ConceptNameCodeSequence[0].CodeMeaning, []).append(
                (code.CodeValue, code.CodingSchemeDesignator)
            )
    return found


def report_of(case, **options):
    (result,) = case.encode(**options)
    assert result.kind is ResultKind.SR
    return result, pydicom.dcmread(io.BytesIO(result.data))


@pytest.mark.parametrize("kind", RejectionKind)
def test_each_kind_of_doubt_has_its_code_and_a_standard_one(kind):
    case = rejected(make_case(3, 33, 29), kind)
    result, ds = report_of(case)
    found = coded(ds)
    assert found["Finding"] == [("82334004", "SCT")]
    ((_, scheme),) = found["Reason for no result"]
    assert scheme == "99DICOMNODE"
    ((_, standard),) = found["Nearest standard reason"]
    assert standard in ("DCM", "SCT")
    ran = kind in (RejectionKind.CONFIDENCE, RejectionKind.PLAUSIBILITY, RejectionKind.DISAGREEMENT)
    assert found["Summary of Analyses"] == [("111224" if ran else "111225", "DCM")]
    assert Gate(OWN_RULES).check([result], case.study) == {}


def test_report_says_every_gate_and_shows_what_was_looked_at():
    case = rejected(make_case(3, 33, 29), RejectionKind.QUALITY, RejectionKind.INPUT)
    _, ds = report_of(case)
    said = [i.TextValue for i in items(ds) if i.ValueType == "TEXT"]
    assert "Unable to determine: doubt: quality; doubt: input." in said
    assert said.index("Not passed: gate-quality. Doubt: quality.") < said.index(
        "Passed: modality. The series is MR."
    )
    assert len(coded(ds)["Reason for no result"]) == 2
    assert {advice(RejectionKind.QUALITY), advice(RejectionKind.INPUT)} <= set(said)
    (image,) = (i for i in items(ds) if i.ValueType == "IMAGE")
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID in case.study.data
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert {s.ReferencedSOPInstanceUID for s in series.ReferencedSOPSequence} == set(case.study.data)


def test_rejection_without_a_kind_is_reported_too():
    case = rejected(make_case(3, 33, 29))
    result, ds = report_of(case)
    assert "Reason for no result" not in coded(ds)
    assert Gate(OWN_RULES).check([result], case.study) == {}


def _no_pixels(ds, index):
    ds.PixelData = ds.PixelData[: 2 * index]


@pytest.mark.parametrize("change", [without_geometry, _no_pixels])
def test_series_without_geometry_or_whole_pixels_gets_its_report(change):
    case = rejected(make_case(3, 33, 29, change=change), RejectionKind.GEOMETRY)
    result, _ = report_of(case, source_sop_instance_uids=())
    assert Gate(OWN_RULES).check([result], case.study) == {}


def test_only_the_instances_that_were_looked_at_are_named():
    case = rejected(make_case(4, 33, 29), RejectionKind.INPUT)
    seen = case.prediction.source_sop_instance_uids[1:3]
    _, ds = report_of(case, source_sop_instance_uids=seen)
    (series,) = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {s.ReferencedSOPInstanceUID for s in series.ReferencedSOPSequence} == set(seen)


def test_an_instance_that_cannot_be_read_is_passed_over_and_none_is_an_error():
    case = rejected(make_case(3, 33, 29), RejectionKind.INPUT)
    uids = list(case.study.data)
    damaged = replace(case.study, data={**case.study.data, uids[0]: b"no DICOM"})
    _, ds = report_of(replace(case, study=damaged))
    assert ds.PatientID == "PSEUDO-4711"
    nothing = replace(case.study, data=dict.fromkeys(uids, b"no DICOM"))
    with pytest.raises(EncodingFailed, match="no instance"):
        replace(case, study=nothing).encode()


def _entries(results, version):
    return [
        ResultEntry(r.kind, r.sop_class_uid, r.series_instance_uid, r.sop_instance_uid, version)
        for r in results
    ]


def _late(case):
    return replace(case, study=replace(case.study, version=3))


def _predecessor(ds):
    (study,) = ds.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    return series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID


def test_reports_of_a_new_version_name_those_of_the_version_before():
    case = make_case(3, 33, 29)
    first = case.encode()
    earlier = _entries(first, 1)
    late = _late(case).encode(earlier=earlier)
    reports = [(a, b) for a, b in zip(first, late, strict=True) if a.kind is ResultKind.SR]
    assert len(reports) == 2
    for before, after in reports:
        ds = pydicom.dcmread(io.BytesIO(after.data))
        assert _predecessor(ds) == (before.series_instance_uid, before.sop_instance_uid)
    assert Gate(OWN_RULES).check(late, case.study, earlier) == {}
    # What never was published is no predecessor, and a reference to it would lead nowhere.
    problems = Gate(OWN_RULES).check(late, case.study)
    assert {after.sop_instance_uid for _, after in reports} == set(problems)


def test_a_finding_takes_the_place_of_a_rejection_and_the_other_way_round():
    done = make_case(3, 33, 29)
    refused = rejected(done, RejectionKind.INPUT)
    (rejection,) = refused.encode()
    (_, report) = (r for r in _late(done).encode(earlier=_entries([rejection], 1)) if r.kind is ResultKind.SR)
    assert _predecessor(pydicom.dcmread(io.BytesIO(report.data)))[1] == rejection.sop_instance_uid
    (_, full) = (r for r in done.encode() if r.kind is ResultKind.SR)
    (again,) = _late(refused).encode(earlier=_entries(done.encode(), 1))
    assert _predecessor(pydicom.dcmread(io.BytesIO(again.data)))[1] == full.sop_instance_uid


def test_request_that_the_source_names_is_referenced():
    def request(ds, index):
        item = pydicom.Dataset()
        item.RequestedProcedureID = "RP-1"
        ds.RequestAttributesSequence = [item]

    _, ds = report_of(rejected(make_case(3, 33, 29, change=request), RejectionKind.INPUT))
    (item,) = ds.ReferencedRequestSequence
    assert (item.RequestedProcedureID, item.StudyInstanceUID) == ("RP-1", ds.StudyInstanceUID)


def test_failed_run_gives_nothing():
    assert make_case(3, 33, 29).encode(status=RunStatus.FAILED) == ()
