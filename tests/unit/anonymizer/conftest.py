from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from anonymizer.engine import Engine
from anonymizer.profile import Option, Profile
from anonymizer.restore import Restorer

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(range(32))
ROOT = "1.2.276.0.7230010.3.9999."


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Basic Profile that keeps age, sex and size; other options have engines of their own."""
    return Engine(KEY, Profile(frozenset({Option.RETAIN_PATIENT_CHARACTERISTICS})))


@pytest.fixture(scope="session")
def restorer() -> Restorer:
    return Restorer(KEY)


@pytest.fixture
def make_mr() -> Callable[..., FileDataset]:
    """An MR image with an invented patient; keyword arguments set attributes."""

    def make(instance: int = 1, series: int = 1, **attributes: object) -> FileDataset:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.SourceApplicationEntityTitle = "CANARYAE"
        ds = FileDataset("", {}, file_meta=meta, preamble=b"CANARYPREAMBLE".ljust(128, b"\0"))
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        ds.SOPClassUID = MRImageStorage
        ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = f"{ROOT}3.{series}.{instance}"
        ds.StudyInstanceUID = f"{ROOT}1"
        ds.SeriesInstanceUID = f"{ROOT}2.{series}"
        ds.FrameOfReferenceUID = f"{ROOT}4"
        ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = "20240229"
        ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "101112"
        ds.AccessionNumber = "ACC4711008"
        ds.Modality = "MR"
        ds.Manufacturer = "Test Works"
        ds.ManufacturerModelName = "Model 3"
        ds.InstitutionName = "St. Canarius Infirmary"
        ds.ReferringPhysicianName = "Überweiser^Ottokar"
        ds.StudyDescription = "Head of Kanarienvogel"
        ds.SeriesDescription = "T1 sag"
        ds.PatientName = "Kanarienvögel^Zwitscherine"
        ds.PatientID = "PID00815"
        ds.IssuerOfPatientID = "CANARYHOSP"
        ds.PatientBirthDate = "19310405"
        ds.PatientSex = "F"
        ds.PatientAge = "092Y"
        ds.PatientWeight = "61.5"
        ds.StudyID = "S77177"
        ds.BodyPartExamined = "BRAIN"
        ds.PatientPosition = "HFS"
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "MP", ""
        ds.MRAcquisitionType = "3D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.InversionTime = "2300", "2.9", "1", "900"
        ds.SliceThickness = "1"
        ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = series, instance, 1
        ds.Laterality = ""
        ds.PositionReferenceIndicator = ""
        ds.ImagePositionPatient = [0, 0, instance]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [1, 1]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows, ds.Columns = 12, 10
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        request = Dataset()
        request.RequestedProcedureID = "RP1"
        request.RequestedProcedureDescription = "Kopf"
        request.ScheduledProcedureStepID = "SPS1"
        ds.RequestAttributesSequence = Sequence([request])
        ds.PixelData = np.arange(120, dtype="<u2").tobytes()
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
        return ds

    return make


@pytest.fixture
def to_bytes() -> Callable[[FileDataset], bytes]:
    def convert(ds: FileDataset) -> bytes:
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return convert
