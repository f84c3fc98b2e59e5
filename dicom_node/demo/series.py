"""Wraps a T1-weighted head as the MR Image Storage series that a scanner would send.

Pixels are real and geometry is theirs; who it is, where and when, is invented.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from dicom_node.demo.volume import Plane, Slices, Volume, cut, load_t1_head

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class InventedIdentity:
    """A person and a visit that never were."""

    patient_name: str = "Muster^Erika"
    patient_id: str = "MUSTER-0815"
    patient_birth_date: str = "19790412"
    patient_sex: str = "F"
    accession_number: str = "ACC-2024-0815"
    study_id: str = "S-0815"
    institution_name: str = "Universitätsklinikum Musterstadt"
    referring_physician_name: str = "Beispiel^Hanna^^Dr."
    operators_name: str = "Probe^Jonas"


def build_t1_series(
    *,
    seed: str | None = None,
    plane: Plane = "axial",
    step: int = 1,
    identity: InventedIdentity | None = None,
    acquired: datetime | None = None,
) -> Iterator[Dataset]:
    """Make the demo's series: one T1-weighted MPRAGE of a real adult head.

    Parameters
    ----------
    seed
        The same seed gives the same UIDs; without one they are new each time.
    plane
        How the head is cut; axial by default, 256 slices of 256x208.
    step
        Takes every `step`-th voxel, for smaller series.
    acquired
        When the series claims to be taken; now by default.

    Returns
    -------
    Iterator of Dataset
        One instance a slice, ascending along the slice normal, with file meta information.

    Raises
    ------
    ConfigurationError
        If the head is not installed.
    """
    head = load_t1_head()
    return wrap_mr_series(
        head.thinned(step) if step > 1 else head,
        seed=seed,
        plane=plane,
        identity=identity,
        acquired=acquired,
    )


def wrap_mr_series(
    volume: Volume,
    *,
    seed: str | None = None,
    plane: Plane = "axial",
    identity: InventedIdentity | None = None,
    acquired: datetime | None = None,
) -> Iterator[Dataset]:
    """Wrap a T1-weighted volume as MR Image Storage instances (PS3.3 §A.4).

    Parameters are those of `build_t1_series`.
    """
    slices = cut(volume, plane)
    source = seed or secrets.token_hex(16)
    shared = _shared_attributes(
        slices, source, plane, identity or InventedIdentity(), acquired or datetime.now(tz=UTC)
    )
    for number in range(len(slices.pixels)):
        yield _instance(shared, slices, source, number)


def _uid(*parts: str) -> str:
    return generate_uid(entropy_srcs=["dicom-node demo", *parts])


def _numbers(*values: float) -> list[str]:
    # Adding zero makes a negative zero a plain one.
    return [format_number_as_ds(round(float(value), 8) + 0.0) for value in values]


def _spacings(*values: float) -> list[str]:
    # NIfTI's single precision makes 0.99999736 of 1 mm.
    return _numbers(*(round(value, 4) for value in values))


def _shared_attributes(
    slices: Slices, source: str, plane: Plane, identity: InventedIdentity, acquired: datetime
) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    _add_study(ds, source, identity, acquired)
    _add_series(ds, source, plane, acquired)
    _add_mr_physics(ds)
    _add_pixel_description(ds, slices)
    return ds


def _add_study(ds: Dataset, source: str, identity: InventedIdentity, acquired: datetime) -> None:
    born = datetime.strptime(identity.patient_birth_date, "%Y%m%d").replace(tzinfo=UTC)
    birthday_to_come = (acquired.month, acquired.day) < (born.month, born.day)
    ds.PatientName = identity.patient_name
    ds.PatientID = identity.patient_id
    ds.PatientBirthDate = identity.patient_birth_date
    ds.PatientSex = identity.patient_sex
    ds.PatientAge = f"{acquired.year - born.year - birthday_to_come:03}Y"
    ds.PatientWeight = "68"
    ds.StudyInstanceUID = _uid(source, "study")
    ds.StudyDate, ds.StudyTime = acquired.strftime("%Y%m%d"), acquired.strftime("%H%M%S")
    ds.StudyID = identity.study_id
    ds.StudyDescription = "MR Head"
    ds.AccessionNumber = identity.accession_number
    ds.ReferringPhysicianName = identity.referring_physician_name
    ds.OperatorsName = identity.operators_name
    ds.InstitutionName = identity.institution_name
    request = Dataset()
    request.RequestedProcedureID = identity.study_id
    request.ScheduledProcedureStepID = f"{identity.study_id}-1"
    request.RequestedProcedureDescription = "MR Head"
    ds.RequestAttributesSequence = [request]


def _add_series(ds: Dataset, source: str, plane: Plane, acquired: datetime) -> None:
    ds.Modality = "MR"
    ds.SeriesInstanceUID = _uid(source, "series")
    ds.SeriesNumber = 3
    ds.SeriesDate, ds.SeriesTime = ds.StudyDate, ds.StudyTime
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, ds.StudyTime
    ds.ContentDate, ds.ContentTime = ds.StudyDate, ds.StudyTime
    ds.PerformedProcedureStepStartDate = acquired.strftime("%Y%m%d")
    ds.PerformedProcedureStepStartTime = acquired.strftime("%H%M%S")
    ds.ProtocolName = "t1_mprage_1mm"
    ds.SeriesDescription = f"T1w MPRAGE {plane}"
    ds.BodyPartExamined = "BRAIN"
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = _uid(source, "frame of reference")
    ds.PositionReferenceIndicator = None
    ds.Manufacturer = "Example Imaging"
    ds.ManufacturerModelName = "Demo 3T"
    ds.DeviceSerialNumber = "4711"
    ds.SoftwareVersions = "1.0"
    ds.StationName = "MR1"


def _add_mr_physics(ds: Dataset) -> None:
    # What the real scan was taken with, times in ms.
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NORM"]
    ds.ScanningSequence = ["GR", "IR"]
    ds.SequenceVariant = ["SK", "SP", "MP"]
    ds.ScanOptions = None
    ds.SequenceName = "*tfl3d1_16ns"
    ds.MRAcquisitionType = "3D"
    ds.RepetitionTime = "1900"
    ds.EchoTime = "2.52"
    ds.InversionTime = "900"
    ds.FlipAngle = "9"
    ds.EchoTrainLength = 1
    ds.NumberOfAverages = "1"
    ds.MagneticFieldStrength = "3"
    ds.ImagingFrequency = "123.254"
    ds.ImagedNucleus = "1H"
    ds.PixelBandwidth = "170"
    ds.AcquisitionNumber = 1


def _add_pixel_description(ds: Dataset, slices: Slices) -> None:
    brightest = int(slices.pixels.max())
    shown = float(np.percentile(slices.pixels, 99.5))
    ds.ImageOrientationPatient = _numbers(*slices.orientation)
    ds.PixelSpacing = _spacings(*slices.pixel_spacing)
    ds.SliceThickness, ds.SpacingBetweenSlices = _spacings(slices.slice_spacing, slices.slice_spacing)
    ds.ImagesInAcquisition = len(slices.pixels)
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = slices.pixels.shape[1:]
    ds.BitsAllocated = 16
    ds.BitsStored = max(12, brightest.bit_length())
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 0
    ds.WindowCenter, ds.WindowWidth = _numbers(round(shown / 2), round(shown))


def _instance(shared: Dataset, slices: Slices, source: str, number: int) -> Dataset:
    ds = Dataset()
    ds.update(shared)
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = _uid(source, "instance", str(number))
    ds.InstanceNumber = number + 1
    position = slices.positions[number]
    ds.ImagePositionPatient = _numbers(*position)
    normal = np.cross(slices.orientation[:3], slices.orientation[3:])
    (ds.SliceLocation,) = _numbers(float(np.dot(normal, position)))
    ds.PixelData = slices.pixels[number].astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds
