"""512x512 CT instances as files, each with UIDs of its own, written from one template."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = COLUMNS = 512
_PLACE = b"1.2.826.0.1.3680043.10.543.@99999999999999999"
_UNIQUE = 18  # digits in the place of the @
_NAMES = ("Marchetti", "Okafor", "Lindqvist", "Barcelo", "Nguyen", "Haddad", "Parchment", "Silva")


def template() -> bytes:
    """A CT instance whose UIDs end in a place for digits: study, series, and instance."""
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    place = _PLACE.decode()
    ds.StudyInstanceUID = place.replace("@", "1", 1)
    ds.SeriesInstanceUID = place.replace("@", "2", 1)
    ds.SOPInstanceUID = place.replace("@", "3", 1)
    ds.Modality = "CT"
    ds.PatientName = "Benchmark^CT"
    ds.PatientID = "BENCH"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20260101"
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "120000"
    ds.AccessionNumber = "1"
    ds.Manufacturer = "Benchmark"
    ds.StudyDescription = "512x512 CT"
    ds.SeriesDescription = "axial"
    ds.BodyPartExamined = "CHEST"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient = [0, 0, 0]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.7, 0.7]
    ds.SliceThickness = 1
    ds.KVP = 120
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.WindowCenter, ds.WindowWidth = 40, 400
    ds.InstanceNumber = ds.SeriesNumber = 1
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = np.random.default_rng(1).integers(0, 4096, (ROWS, COLUMNS), np.uint16).tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def instances(pattern: bytes, count: int, serial: int) -> Iterator[bytes]:
    """`count` instances of one study; `serial` is a number that no other call had."""
    rest = b"9" * (_UNIQUE - 1)
    study = b"%0*d" % (_UNIQUE - 1, serial)
    of_study = pattern.replace(b"1" + rest, b"1" + study).replace(b"2" + rest, b"2" + study)
    for number in range(count):
        yield of_study.replace(b"3" + rest, b"3%0*d" % (_UNIQUE - 1, serial * 100_000 + number))


def series_uids(serial: int) -> tuple[str, str]:
    """Study and Series Instance UID of `instances`."""
    place = _PLACE.decode().partition("@")[0]
    return f"{place}1{serial:0{_UNIQUE - 1}d}", f"{place}2{serial:0{_UNIQUE - 1}d}"


def instance_uids(count: int, serial: int) -> list[str]:
    """SOP Instance UIDs of `instances`, in their order."""
    place = _PLACE.decode().partition("@")[0]
    return [f"{place}3{serial * 100_000 + number:0{_UNIQUE - 1}d}" for number in range(count)]


def write_series(pattern: bytes, folder: Path, count: int, serial: int) -> None:
    """`instances` as files."""
    folder.mkdir()
    for number, data in enumerate(instances(pattern, count, serial)):
        (folder / f"{number:05d}.dcm").write_bytes(data)


def small_studies(count: int) -> Iterator[bytes]:
    """`count` studies of one small instance each, spread over patients, days and modalities."""
    buffer = io.BytesIO(template())
    ds = dcmread(buffer)
    ds.Rows = ds.Columns = 8
    ds.PixelData = bytes(128)
    for number in range(count):
        ds.StudyInstanceUID, ds.SeriesInstanceUID = small_uids(number)
        ds.SOPInstanceUID = f"{ds.SeriesInstanceUID}.1"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = f"P{number:06d}"
        ds.PatientName = f"{_NAMES[number % len(_NAMES)]}{number % 97}^{_NAMES[number // 7 % len(_NAMES)]}"
        ds.AccessionNumber = f"A{number:06d}"
        ds.StudyDate = f"2024{number % 12 + 1:02d}{number // 12 % 28 + 1:02d}"
        ds.Modality = ("CT", "MR", "US", "CR")[number % 4]
        out = io.BytesIO()
        ds.save_as(out, enforce_file_format=True)
        yield out.getvalue()


def small_uids(number: int) -> tuple[str, str]:
    """Study and Series Instance UID of one of `small_studies`."""
    return f"1.2.826.0.1.3680043.10.543.4.{number}", f"1.2.826.0.1.3680043.10.543.5.{number}"
