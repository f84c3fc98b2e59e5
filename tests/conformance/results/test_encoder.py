"""Encoding: deterministic, tied to the source's study and patient, and clear about what it cannot do."""

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from predicted_series import MADE_AT, derive_uid, make_case, pack

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.run import RunStatus
from inference.encode.encoder import Encoder


def test_encoding_twice_gives_the_same_bytes():
    case = make_case(4, 33, 29)
    assert case.encode() == case.encode()


def test_another_version_gives_other_instances_and_series():
    case = make_case(4, 33, 29)
    late = replace(case, study=replace(case.study, version=2))
    for one, other in zip(case.encode(), late.encode(), strict=True):
        assert one.sop_instance_uid != other.sop_instance_uid
        assert one.series_instance_uid != other.series_instance_uid


def test_two_predictions_share_no_series():
    case = make_case(4, 33, 29)
    other = replace(case.prediction, model=replace(case.prediction.model, name="other-model"))
    results = Encoder(derive_uid, lambda: MADE_AT).encode([case.prediction, other], case.study)
    numbers = {}
    for result in results:
        ds = pydicom.dcmread(io.BytesIO(result.data))
        numbers.setdefault(ds.SeriesInstanceUID, set()).add(int(ds.SeriesNumber))
    assert len(numbers) == 10
    assert len({number for group in numbers.values() for number in group}) == 10


def test_run_that_failed_gives_no_object():
    assert make_case(4, 33, 29).encode(status=RunStatus.FAILED) == ()


def test_every_result_has_the_sources_study_patient_and_deidentification():
    case = make_case(4, 33, 29)
    source = pydicom.dcmread(io.BytesIO(next(iter(case.study.data.values()))))
    for result in case.encode():
        ds = pydicom.dcmread(io.BytesIO(result.data))
        assert (ds.SOPClassUID, ds.SOPInstanceUID) == (result.sop_class_uid, result.sop_instance_uid)
        for keyword in (
            "StudyInstanceUID",
            "PatientID",
            "PatientName",
            "PatientSex",
            "PatientAge",
            "PatientIdentityRemoved",
            "DeidentificationMethod",
            "LongitudinalTemporalInformationModified",
        ):
            assert ds[keyword].value == source[keyword].value
        assert ds.SpecificCharacterSet == "ISO_IR 192"


def test_source_without_patient_and_study_attributes_gives_them_empty():
    def strip(ds, index):
        for keyword in (
            "PatientBirthDate",
            "StudyDate",
            "StudyTime",
            "AccessionNumber",
            "StudyID",
            "PatientSex",
        ):
            delattr(ds, keyword)

    for result in make_case(4, 33, 29, change=strip).encode():
        ds = pydicom.dcmread(io.BytesIO(result.data))
        assert ds.AccessionNumber in ("", None)
        assert "StudyDate" in ds


def test_names_in_any_script_are_kept():
    def rename(ds, index):
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 192", "Ivanov^Иван=伊万"

    for result in make_case(4, 33, 29, change=rename).encode():
        assert str(pydicom.dcmread(io.BytesIO(result.data)).PatientName) == "Ivanov^Иван=伊万"


def _flip_order(case):
    return {"source_sop_instance_uids": case.prediction.source_sop_instance_uids[::-1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (lambda c: {"arrays": b""}, "no .npz"),
        (lambda c: {"arrays": pack(c.mask[1:], c.probability[1:])}, "source's shape"),
        (lambda c: {"arrays": pack(c.mask.astype(np.int32), c.probability)}, "uint8"),
        (lambda c: {"arrays": pack(c.mask * 3, c.probability)}, "differ"),
        (_flip_order, "ascend"),
        (lambda c: {"source_sop_instance_uids": ()}, "no source instances"),
        (lambda c: {"segments": (replace(c.prediction.segments[0], number=2),)}, "numbered"),
    ],
)
def test_prediction_that_does_not_fit_its_source_is_an_error(changes, message):
    case = make_case(4, 33, 29)
    with pytest.raises(EncodingFailed, match=message):
        case.encode(**changes(case))


def _lose(keyword):
    def change(ds, index):
        delattr(ds, keyword)

    return change


def _tilt(ds, index):
    if index == 2:
        ds.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]


def _other_series(ds, index):
    ds.SeriesInstanceUID = derive_uid("series", str(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_lose("ImagePositionPatient"), "lacks ImagePositionPatient"),
        (_lose("FrameOfReferenceUID"), "lacks FrameOfReferenceUID"),
        (_tilt, "orientation"),
        (_other_series, "SeriesInstanceUID"),
    ],
)
def test_source_that_is_no_stack_is_an_error_that_names_no_value(change, message):
    with pytest.raises(EncodingFailed, match=message) as caught:
        make_case(4, 33, 29, change=change).encode()
    assert "PSEUDO" not in str(caught.value)
    assert "2.25" not in str(caught.value)


def test_warm_up_loads_highdicom():
    import sys

    Encoder(derive_uid).warm_up()
    assert "highdicom" in sys.modules


def test_compressed_source_is_decoded():
    case = make_case(4, 33, 29)

    def compress(part10):
        ds = pydicom.dcmread(io.BytesIO(part10))
        ds.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
        buffer = io.BytesIO()
        ds.save_as(buffer)
        return buffer.getvalue()

    packed = replace(case.study, data={uid: compress(data) for uid, data in case.study.data.items()})
    assert replace(case, study=packed).encode()[3:] == case.encode()[3:]
