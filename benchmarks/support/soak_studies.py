"""Studies for the soak: small MR knees that a toy model takes, and CT that no route takes, all new."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from dicom_node.pipeline.header import scan

_ROOT = "1.2.826.0.1.3680043.10.543.77"
#: One study in so many has the model's modality and body part, one in so many a large instance.
_ROUTED, _LARGE = 3, 12
_LARGE_ROWS = 1200


@dataclass(frozen=True)
class Sent:
    """An instance as it is sent."""

    uid: str
    study: str
    sop_class: str
    data_set: bytes
    file: bytes

    @property
    def sha256(self) -> str:
        """The digest that the node keeps: transfer syntax and data set."""
        return hashlib.sha256(ExplicitVRLittleEndian.encode() + b"\0" + self.data_set).hexdigest()


def study(serial: int) -> list[Sent]:
    """The instances of a study; the same number gives the same ones."""
    chance = random.Random(serial)
    routed = serial % _ROUTED == 0
    count = chance.randint(6, 10) if routed else chance.randint(1, 8)
    pixels = np.random.default_rng(serial)
    large = serial % _LARGE == 1
    return [_sent(_instance(serial, number, pixels, routed=routed, large=large)) for number in range(count)]


def _instance(serial: int, number: int, pixels: np.random.Generator, *, routed: bool, large: bool) -> Dataset:
    rows = _LARGE_ROWS if large else 48
    ds = Dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SOPClassUID = MRImageStorage if routed else CTImageStorage
    ds.SOPInstanceUID = f"{_ROOT}.{serial}.1.{number + 1}"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20260301"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "101500"
    ds.AccessionNumber = f"S{serial}"
    ds.Modality = "MR" if routed else "CT"
    ds.Manufacturer = "Soak"
    ds.StudyDescription = "Soak"
    ds.SeriesDescription = "axial"
    ds.PatientName = f"Soak^Number {serial}"
    ds.PatientID = f"SOAK-{serial}"
    ds.PatientBirthDate = "19700101"
    ds.PatientSex = "O"
    ds.BodyPartExamined = "KNEE"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "GR", "NONE", ""
    ds.MRAcquisitionType, ds.EchoTime, ds.RepetitionTime = "3D", 3, 9
    ds.StudyInstanceUID = f"{_ROOT}.{serial}"
    ds.SeriesInstanceUID = f"{_ROOT}.{serial}.1"
    ds.FrameOfReferenceUID = f"{_ROOT}.{serial}.2"
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1, number + 1
    ds.ImagePositionPatient = [0, 0, float(number)]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PositionReferenceIndicator = ""
    ds.SliceThickness, ds.PixelSpacing = 1, [1, 1]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = rows
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    image = pixels.integers(40, 90, (rows, rows), np.uint16)
    image[20:28, 20:28] = 200  # what the toy model marks
    ds.PixelData = image.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _sent(ds: Dataset) -> Sent:
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    return Sent(
        str(ds.SOPInstanceUID),
        str(ds.StudyInstanceUID),
        str(ds.SOPClassUID),
        data[scan(file).dataset_offset :],
        data,
    )
