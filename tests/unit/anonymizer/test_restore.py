from __future__ import annotations

import io
from typing import TYPE_CHECKING

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.sr.coding import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.uid import ImplicitVRLittleEndian

from anonymizer.errors import RestoreError
from anonymizer.restore import Restorer

if TYPE_CHECKING:
    from anonymizer.engine import Engine

MILLILITRE = CodedConcept("mL", "UCUM", "milliliter")
BRAIN = CodedConcept("12738006", "SCT", "Brain")


def read(data: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(data))


def dump(ds: pydicom.Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def study(engine: Engine, make_mr, to_bytes):
    """Three original slices and their de-identified forms, with the merged identity."""
    originals = [make_mr(number) for number in (1, 2, 3)]
    outs = [engine.deidentify(to_bytes(ds)) for ds in originals]
    uids = {pseudonym: original for out in outs for pseudonym, original in out.uids.items()}
    return originals, [read(out.data) for out in outs], outs[0].original_attributes, uids


def uid_values(ds: pydicom.Dataset) -> set[str]:
    found: set[str] = set()
    for element in ds.iterall():
        if element.VR == "UI" and element.value:
            values = [element.value] if isinstance(element.value, str) else element.value
            found |= set(map(str, values))
    return found


def own_uids(ds: pydicom.Dataset, uids: dict[str, str]) -> frozenset[str]:
    return frozenset(
        uid for uid in uid_values(ds) if uid not in uids and not uid.startswith("1.2.840.10008.")
    )


def make_seg(sources: list[pydicom.Dataset]) -> pydicom.Dataset:
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Brain",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=BRAIN,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="a", version="1", family=codes.DCM.ArtificialIntelligence
        ),
    )
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.ones((3, 12, 10), np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[description],
        series_instance_uid=hd.UID(),
        series_number=9,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="n",
        software_versions="1",
        device_serial_number="1",
    )


def make_sr(sources: list[pydicom.Dataset]) -> pydicom.Dataset:
    finding = hd.sr.Measurement(name=codes.SCT.Volume, value=1.5, unit=MILLILITRE)
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(uid=hd.UID(), identifier="t"),
        measurements=[finding],
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(sources[1])],
    )
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(uid=hd.UID()),
    )
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=device),
        procedure_reported=CodedConcept("24590-2", "LN", "MR Brain"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return hd.sr.Comprehensive3DSR(
        evidence=sources,
        content=report,
        series_instance_uid=hd.UID(),
        series_number=10,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="m",
    )


def make_sc(sources: list[pydicom.Dataset]) -> pydicom.Dataset:
    return hd.sc.SCImage.from_ref_dataset(
        ref_dataset=sources[0],
        pixel_array=np.zeros((12, 10, 3), np.uint8),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=hd.UID(),
        sop_instance_uid=hd.UID(),
        series_number=11,
        instance_number=1,
        manufacturer="m",
        pixel_spacing=(1.0, 1.0),
        patient_orientation=("L", "P"),
    )


@pytest.mark.parametrize("make", [make_seg, make_sr, make_sc])
def test_results_get_patient_study_and_all_references_back(study, restorer, make):
    originals, sources, attributes, uids = study
    result = make(sources)
    own = own_uids(result, uids)
    restored = read(restorer.restore(dump(result), attributes, uids, own))
    first = originals[0]
    for keyword in ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
                    "AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName",
                    "StudyDescription", "StudyInstanceUID"):  # fmt: skip
        assert str(restored[keyword].value) == str(first[keyword].value), keyword
    assert not uid_values(restored) & uids.keys()
    references = uid_values(result) & uids.keys()
    assert {uids[uid] for uid in references} <= uid_values(restored)
    assert own <= uid_values(restored)
    for marker in ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
                   "LongitudinalTemporalInformationModified"):  # fmt: skip
        assert marker not in restored
    assert restored.SOPInstanceUID == restored.file_meta.MediaStorageSOPInstanceUID == result.SOPInstanceUID
    assert "PixelData" not in result or restored.PixelData == result.PixelData


@pytest.mark.parametrize("make", [make_seg, make_sr])
def test_deidentified_seg_and_sr_inputs_get_identity_and_uids_back(study, engine, restorer, make, tmp_path):
    originals = study[0]
    source = make(originals)
    out = engine.deidentify(dump(source))
    restored = read(restorer.restore(out.data, out.original_attributes, out.uids, frozenset()))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
                    "StudyDate", "AccessionNumber"):  # fmt: skip
        assert str(restored[keyword].value) == str(source[keyword].value), keyword
    assert uid_values(restored) <= uid_values(source) | {"1.2.840.10008.1.20.1.1"}
    if source.Modality == "SEG":
        assert uid_values(restored) == uid_values(source)


def test_names_beyond_the_objects_character_set_turn_it_to_utf8(engine, restorer, make_mr, to_bytes):
    name = "Yamada^Tarou=山田^太郎"
    out = engine.deidentify(to_bytes(make_mr(SpecificCharacterSet="ISO_IR 192", PatientName=name)))
    ds = read(out.data)
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ManufacturerModelName = "Gerät"
    restored = read(restorer.restore(dump(ds), out.original_attributes, out.uids, frozenset()))
    assert restored.SpecificCharacterSet == "ISO_IR 192"
    assert restored.PatientName == name
    assert restored.ManufacturerModelName == "Gerät"


def test_non_ascii_patient_ids_find_their_way_back(engine, restorer, make_mr, to_bytes):
    out = engine.deidentify(to_bytes(make_mr(PatientID="Ä\u00df-77 ")))
    restored = read(restorer.restore(out.data, out.original_attributes, out.uids, frozenset()))
    assert restored.PatientID == "Ä\u00df-77"


def test_an_absent_patient_id_is_absent_again(engine, restorer, make_mr, to_bytes):
    ds = make_mr()
    del ds.PatientID
    del ds.StudyDescription
    out = engine.deidentify(to_bytes(ds))
    restored = read(restorer.restore(out.data, out.original_attributes, out.uids, frozenset()))
    assert "PatientID" not in restored
    assert "StudyDescription" not in restored


def test_nested_original_attributes_come_back(engine, restorer, make_mr, to_bytes):
    ds = make_mr()
    other = pydicom.Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "ALT1", "Überall", "TEXT"
    ds.OtherPatientIDsSequence = [other]
    out = engine.deidentify(to_bytes(ds))
    restored = read(restorer.restore(out.data, out.original_attributes, out.uids, frozenset()))
    assert restored.OtherPatientIDsSequence == ds.OtherPatientIDsSequence


def test_implicit_vr_objects_are_restored(engine, restorer, make_mr, to_bytes):
    out = engine.deidentify(to_bytes(make_mr()))
    ds = read(out.data)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    ds.save_as(buffer, implicit_vr=True, little_endian=True)
    restored = read(restorer.restore(buffer.getvalue(), out.original_attributes, out.uids, frozenset()))
    assert restored.PatientName == make_mr().PatientName
    assert uid_values(restored) == uid_values(make_mr())


def test_unknown_uids_are_refused_at_any_depth(study, restorer):
    _, sources, attributes, uids = study
    result = make_seg(sources)
    own = own_uids(result, uids)
    item = result.PerFrameFunctionalGroupsSequence[2].DerivationImageSequence[0].SourceImageSequence[0]
    item.ReferencedSOPInstanceUID = "2.25.4711"
    with pytest.raises(RestoreError, match="ReferencedSOPInstanceUID") as caught:
        restorer.restore(dump(result), attributes, uids, own)
    assert "4711" not in str(caught.value)
    with pytest.raises(RestoreError):
        restorer.restore(dump(make_seg(sources)), attributes, uids, frozenset())


def test_another_patient_study_or_key_is_refused(study, restorer, engine, make_mr, to_bytes):
    _, sources, attributes, uids = study
    data = dump(make_seg(sources))
    stranger = engine.deidentify(to_bytes(make_mr(PatientID="OTHER1")))
    own = own_uids(read(data), uids)
    with pytest.raises(RestoreError, match="PatientID"):
        restorer.restore(data, stranger.original_attributes, uids, own)
    with pytest.raises(RestoreError, match="StudyInstanceUID"):
        restorer.restore(data, attributes, {}, own)
    with pytest.raises(RestoreError, match="PatientID"):
        Restorer(b"another key of 32 bytes 12345678").restore(data, attributes, uids, own)
    without = {tag: value for tag, value in attributes.items() if tag != "00100020"}
    with pytest.raises(RestoreError, match="incomplete"):
        restorer.restore(data, without, uids, own)


def test_errors_of_restoration_repeat_nothing(study, restorer):
    _, sources, attributes, uids = study
    own = own_uids(sources[0], uids)
    for broken in (
        {"vr": "PN", "Value": ["Kanarienvogel"]},
        {"Value": ["Kanarienvogel"]},
        {"vr": "US", "Value": ["K"]},
    ):
        with pytest.raises(RestoreError) as caught:
            restorer.restore(dump(sources[0]), {**attributes, "00100010": broken}, uids, own)
        assert "anarien" not in str(caught.value)
    with pytest.raises(RestoreError, match="cannot be read"):
        restorer.restore(b"Kanarienvogel", attributes, uids, own)
