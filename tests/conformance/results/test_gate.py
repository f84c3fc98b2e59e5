"""The output gate holds back what may not leave, and knows which UIDs are the node's own."""

import io
from dataclasses import replace

import pydicom
import pytest
from predicted_series import derive_uid, make_case
from pydicom.uid import UID
from spoilt_results import OWN_RULES, spoil

from dicom_node.domain.result import ResultKind
from inference.encode.checks.program import Validator
from inference.encode.gate import VALIDATORS, Gate


@pytest.fixture(scope="module")
def small():
    case = make_case(5, 33, 29)
    return case, case.encode()


def test_good_results_have_no_entry(case, results):
    assert Gate().check(results, case.study) == {}
    assert Gate(OWN_RULES).check(results, case.study) == {}


def _set(**values):
    def change(ds):
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def _delete(keyword):
    return lambda ds: delattr(ds, keyword)


def _in_first_group(edit):
    def change(ds):
        measurements = next(
            i for i in ds.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010"
        )
        edit(measurements.ContentSequence)

    return change


def _drop_planar(groups):
    del groups[1]


def _add_private(ds):
    ds.add_new(0x00091001, "LO", "x")


def _unknown_scheme(ds):
    ds.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99ACME"


def _manual_processing(ds):
    segment = ds.SegmentSequence[0]
    segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmFamilyCodeSequence[0].CodeValue = "123109"


def _foreign_reference(ds):
    item = ds.SourceImageSequence[0]
    item.ReferencedSOPInstanceUID = derive_uid("another study's instance")


def _nested_name(ds):
    ds.ContributingEquipmentSequence[0].OperatorsName = "Someone^Else"


def _continuous(ds):
    ds.ContentSequence[-1].ContinuityOfContent = "CONTINUOUS"


def _polygon(groups):
    region = next(i for i in groups[1].ContentSequence if i.ValueType == "SCOORD")
    region.GraphicType = "POLYGON"


def _lose_frame(ds):
    # 33 x 29 x n bits, packed: with one frame less the length is odd.
    ds.NumberOfFrames -= 1
    del ds.PerFrameFunctionalGroupsSequence[-1]
    length = -(-ds.NumberOfFrames * ds.Rows * ds.Columns // 8)
    ds.PixelData = ds.PixelData[: length + length % 2]


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        (ResultKind.SR, _set(PatientID="Somebody"), "PatientID is not the source's"),
        (ResultKind.SR, _set(PatientName="Doe^Jane"), "PatientName names somebody"),
        (ResultKind.SC, _nested_name, "OperatorsName names somebody"),
        (ResultKind.SC, _set(InstitutionName="St. Elsewhere"), "InstitutionName is not as in"),
        (ResultKind.SEG, _set(StudyDate="20260101"), "StudyDate is not as in"),
        (ResultKind.SEG, _delete("PatientIdentityRemoved"), "PatientIdentityRemoved"),
        (ResultKind.SC, _add_private, "a private attribute"),
        (ResultKind.SR, _set(StudyInstanceUID=derive_uid("other")), "StudyInstanceUID is not the study's"),
        (ResultKind.SC, _delete("ContributingEquipmentSequence"), "ContributingEquipmentSequence is missing"),
        (ResultKind.SC, _foreign_reference, "a reference is to no instance"),
        (ResultKind.SC, _delete("ImagePositionPatient"), "ImagePositionPatient is missing"),
        (ResultKind.SC, _set(BurnedInAnnotation="YES"), "BurnedInAnnotation is not NO"),
        (ResultKind.SC, _set(Rows=3), "PixelData does not have the length"),
        (ResultKind.SC, _set(PixelSpacing=[7, 7]), "viewers cannot reconstruct"),
        (ResultKind.SEG, _set(SegmentationType="FRACTIONAL"), "SegmentationType does not fit"),
        (ResultKind.SEG, _lose_frame, "odd length"),
        (ResultKind.SEG, _manual_processing, "(123109, DCM) does not have that meaning"),
        (ResultKind.SR, _unknown_scheme, "a code's scheme is neither"),
        (ResultKind.SR, _continuous, "a CONTAINER is not SEPARATE"),
        (ResultKind.SR, _in_first_group(_drop_planar), "shares no tracking UID"),
        (ResultKind.SR, _in_first_group(_polygon), "viewers do not draw"),
        (ResultKind.SR, _delete("CurrentRequestedProcedureEvidenceSequence"), "not in the evidence"),
        (ResultKind.SR, _set(Modality="OT"), "Modality does not fit"),
    ],
)
@pytest.mark.parametrize("index", [0, -1])
def test_broken_object_is_held_back_with_the_reason(small, kind, change, problem, index):
    case, results = small
    if kind is ResultKind.SR:
        index = 0
    spoilt, uid = spoil(results, kind, change, index)
    problems = Gate(OWN_RULES).check(spoilt, case.study)
    assert any(problem in text for text in problems[uid])


def test_problems_quote_no_value_of_the_data_set(small):
    case, results = small
    canaries = {"PatientID": "CANARY-ID", "PatientName": "Canary^Name", "InstitutionName": "Canary hospital"}
    spoilt, _ = spoil(results, ResultKind.SR, _set(StudyDate="19991231", **canaries))
    text = str(Gate().check(spoilt, case.study))
    assert "PatientID" in text
    assert "canary" not in text.lower()
    assert "19991231" not in text


def test_dciodvfy_errors_hold_an_object_back(small, run_tool):
    case, results = small
    run_tool("dciodvfy", results[0].data)
    spoilt, uid = spoil(results, ResultKind.SEG, _delete("ContentLabel"))
    problems = Gate().check(spoilt, case.study)
    assert any(text.startswith("dciodvfy: Error") and "ContentLabel" in text for text in problems[uid])


def test_bytes_that_are_no_dicom_are_held_back(small):
    case, results = small
    broken = [replace(results[0], data=b"no DICOM at all"), *results[1:]]
    assert Gate().check(broken, case.study)[results[0].sop_instance_uid]


def test_pictures_alone_are_no_result(small):
    case, results = small
    pictures = [result for result in results if result.kind is ResultKind.SC]
    problems = Gate(OWN_RULES).check(pictures, case.study)
    assert set(problems) == {picture.sop_instance_uid for picture in pictures}


def test_own_uids_are_all_that_are_neither_the_studys_nor_registered(small):
    case, results = small
    gate = Gate()
    own = frozenset().union(*map(gate.uids, results)) - gate.study_uids(case.study)
    for result in results:
        assert {result.sop_instance_uid, result.series_instance_uid} <= own
    assert "2.25.11223344556677889900" in own
    of_study = {derive_uid("study"), derive_uid("series"), derive_uid("frame of reference"), *case.study.data}
    assert not own & of_study
    assert not any(UID(uid).name != uid for uid in own)

    def uids(ds):
        for element in ds:
            if element.VR == "SQ":
                for item in element.value:
                    yield from uids(item)
            elif element.VR == "UI" and element.value:
                yield str(element.value)

    everywhere = {uid for result in results for uid in uids(pydicom.dcmread(io.BytesIO(result.data)))}
    assert all(uid in own or uid in of_study or UID(uid).name != uid for uid in everywhere)


def test_no_results_are_no_problem(small):
    assert Gate().check([], small[0].study) == {}


class _Look(bytes):
    """Bytes that are counted as long as somebody holds them."""

    alive = most = 0

    def __init__(self, _):
        _Look.alive += 1
        _Look.most = max(_Look.most, _Look.alive)

    def __del__(self):
        _Look.alive -= 1


class _Counted:
    """A result whose bytes are made anew at each look."""

    def __init__(self, result):
        self._result = result
        self.looks = 0

    def __getattr__(self, name):
        return getattr(self._result, name)

    @property
    def data(self):
        self.looks += 1
        return _Look(self._result.data)


def test_each_object_is_read_once_and_few_are_in_memory(program_that_waits):
    case = make_case(24, 33, 29, full=True)
    results = [_Counted(result) for result in case.encode()]
    assert len(results) > 24
    for gate in (Gate(OWN_RULES), Gate(program_that_waits)):
        _Look.alive = _Look.most = 0
        for result in results:
            result.looks = 0
        assert gate.check(results, case.study) == {}
        assert {result.looks for result in results} == {1}
        assert _Look.most <= 2 * VALIDATORS + 2
        assert _Look.alive == 0


@pytest.fixture
def program_that_waits(tmp_path):
    path = tmp_path / "validator"
    path.write_text("#!/bin/sh\nsleep 0.02\n")
    path.chmod(0o700)
    return Validator(str(path))


def test_a_fault_of_the_template_holds_the_whole_series_back(small):
    case, results = small
    pictures = [result.sop_instance_uid for result in results if result.kind is ResultKind.SC]
    assert len(pictures) == 5
    for index in range(len(pictures)):
        results, _ = spoil(results, ResultKind.SC, _nested_name, index)
    problems = Gate(OWN_RULES).check(results, case.study)
    assert all(any("OperatorsName names somebody" in text for text in problems[uid]) for uid in pictures)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set(InstanceNumber=None), "InstanceNumber is missing or empty"),
        (_set(SourceImageSequence=[]), "SourceImageSequence is missing or empty"),
        (_delete("SourceImageSequence"), "SourceImageSequence is missing or empty"),
        (_set(ImagePositionPatient=None), "ImagePositionPatient is missing or empty"),
        (_set(SOPInstanceUID=derive_uid("another")), "identifiers are not those of its entry"),
        (_set(PixelData=b"\0\0"), "PixelData does not have the length"),
        (_delete("Rows"), "the object lacks what its kind of object has"),
    ],
)
@pytest.mark.parametrize("index", [0, 2])
def test_a_picture_with_a_fault_of_its_own_is_held_back_for_it_and_the_others_are_not(
    small, change, problem, index
):
    case, results = small
    spoilt, uid = spoil(results, ResultKind.SC, change, index)
    problems = Gate(OWN_RULES).check(spoilt, case.study)
    assert any(problem in text for text in problems[uid])
    others = [text for one, found in problems.items() if one != uid for text in found]
    assert not any(problem in text for text in others)


@pytest.mark.parametrize("index", [0, 3])
def test_file_meta_of_another_object_is_found_in_every_picture(small, index):
    case, results = small
    position = [i for i, result in enumerate(results) if result.kind is ResultKind.SC][index]
    ds = pydicom.dcmread(io.BytesIO(results[position].data))
    ds.file_meta.MediaStorageSOPInstanceUID = derive_uid("another")
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    spoilt = list(results)
    spoilt[position] = replace(results[position], data=buffer.getvalue())
    problems = Gate(OWN_RULES).check(spoilt, case.study)
    assert set(problems) == {results[position].sop_instance_uid}
    assert problems[results[position].sop_instance_uid] == ["File Meta and data set name different objects"]
