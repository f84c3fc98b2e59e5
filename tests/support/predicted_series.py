"""A synthetic MR series with a prediction on it: asymmetric in every direction, so that a flip shows."""

import hashlib
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.finding import Code, Measurement, ModelIdentity, Prediction, Segment
from dicom_node.domain.run import Reason, RunStatus
from inference.encode.choice import ResultChoice
from inference.encode.encoder import Encoder

#: Direction cosines of rows and columns, LPS.
PLANES = {
    "axial": [1, 0, 0, 0, 1, 0],
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "oblique": [0.98480775, 0.17364818, 0, -0.17101007, 0.96984631, -0.17364818],
}
#: What takes longest is made only where a test looks at it.
SMALL_CHOICE = ResultChoice(pdf=False)
MADE_AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)


def derive_uid(*parts):
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


@dataclass(frozen=True)
class SyntheticStudy:
    """`ports.StudyInput` over a dictionary."""

    study_instance_uid: str
    version: int
    data: dict
    instances: tuple = field(default=())

    def read(self, sop_instance_uid):
        return self.data[sop_instance_uid]


@dataclass(frozen=True)
class Case:
    """A study, its prediction and the arrays in it."""

    study: SyntheticStudy
    prediction: Prediction
    mask: np.ndarray
    probability: np.ndarray
    spacing: tuple

    def encode(self, *, choice=SMALL_CHOICE, card=lambda model: None, earlier=(), **changes):
        """Encode the prediction, without the PDF unless `choice` wants it."""
        encoder = Encoder(derive_uid, lambda: MADE_AT, lambda model: choice, card)
        return tuple(encoder.encode([replace(self.prediction, **changes)], self.study, earlier))


def make_case(slices=10, rows=40, columns=30, plane="axial", spacing=(1.0, 1.0), *, full=False, change=None):
    """Build a study; `full` draws on every slice, `change` edits each source data set."""
    mask, probability = _drawing(slices, rows, columns, full=full)
    rng = np.random.default_rng(7)
    pixels = (probability.astype(np.float32) * 700 + rng.normal(120, 20, mask.shape)).clip(0, 4095)
    data = {}
    for index in range(slices):
        ds = _slice(index, pixels[index].astype(np.uint16), PLANES[plane], spacing)
        if change is not None:
            change(ds, index)
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        data[str(ds.SOPInstanceUID)] = buffer.getvalue()
    study = SyntheticStudy(derive_uid("study"), 1, data, tuple(entries_of(data)))
    return Case(study, _prediction(tuple(data), mask, probability), mask, probability, spacing)


def _drawing(slices, rows, columns, *, full):
    z, y, x = np.mgrid[0:slices, 0:rows, 0:columns].astype(np.float32)
    depth = slices * (5 if full else 0.3)
    distance = (
        ((z - slices * 0.45) / depth) ** 2
        + ((y - rows * 0.45) / (rows * 0.36)) ** 2
        + ((x - columns * 0.55) / (columns * 0.3)) ** 2
    )
    # A notch on one side only.
    distance += np.where((y < rows * 0.4) & (x > columns * 0.6), 0.8, 0)
    probability = 1 / (1 + np.exp(((distance - 1) * 12).clip(-50, 50)))
    return (probability > 0.5).astype(np.uint8), probability.astype(np.float16)


def _slice(index, pixels, orientation, spacing):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = derive_uid("source", str(index))
    ds.StudyInstanceUID = derive_uid("study")
    ds.SeriesInstanceUID = derive_uid("series")
    ds.FrameOfReferenceUID = derive_uid("frame of reference")
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID = "PSEUDONYM^4711", "PSEUDO-4711"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "", "F", "044Y"
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.StudyID = ds.ReferringPhysicianName = ""
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "DICOM Node basic profile"
    ds.LongitudinalTemporalInformationModified = "REMOVED"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "MR", 3, index + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    ds.BodyPartExamined, ds.PositionReferenceIndicator = "HEAD", ""
    normal = np.cross(orientation[:3], orientation[3:])
    ds.ImageOrientationPatient = orientation
    ds.ImagePositionPatient = [
        f"{value:.6f}"[:16] for value in np.array([-90, 60.5, 12]) + 2.5 * index * normal
    ]
    ds.PixelSpacing, ds.SliceThickness = list(spacing), 2.5
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.tobytes()
    return ds


def entries_of(data):
    """The catalogue's entries of Part 10 instances by UID."""
    for uid, part10 in data.items():
        ds = pydicom.dcmread(io.BytesIO(part10), stop_before_pixels=True)
        yield CatalogEntry(
            study_id="study-1",
            kind=CatalogKind.SOURCE,
            study_instance_uid=str(ds.StudyInstanceUID),
            series_instance_uid=str(ds.SeriesInstanceUID),
            sop_instance_uid=uid,
            sop_class_uid=str(ds.SOPClassUID),
            transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
            ref=f"work:{uid}",
            attributes=ds.to_json_dict(),
        )


def pick(results, kind, index=0):
    """One of the results of a kind, in the order of making."""
    return [result for result in results if result.kind is kind][index]


def pack(mask, probability):
    buffer = io.BytesIO()
    np.savez(buffer, mask=mask, probability=probability)
    return buffer.getvalue()


def _prediction(uids, mask, probability):
    brain = Code("12738006", "SCT", "Brain")
    volume = Measurement(
        Code("118565006", "SCT", "Volume"),
        round(float(mask.sum()) * 2.5 / 1000, 3),
        Code("mL", "UCUM", "milliliter"),
    )
    return Prediction(
        model=ModelIdentity(
            name="mr-brain-extraction",
            version="1.0.2",
            title="Brain extraction on T1-weighted MR of the head",
            manufacturer="deepbet",
            device_uid="2.25.11223344556677889900",
            family=Code("123110", "DCM", "Artificial Intelligence"),
        ),
        series_instance_uid=derive_uid("series"),
        status=RunStatus.DONE,
        label="Brain",
        confidence=0.974,
        segments=(
            Segment(
                number=1,
                label="Brain",
                category=Code("123037004", "SCT", "Anatomical Structure"),
                type=brain,
                anatomic_region=brain,
                cielab=(66.0, 39.0, 27.0),
                measurements=(volume,),
            ),
        ),
        measurements=(volume,),
        source_sop_instance_uids=uids,
        arrays=pack(mask, probability),
        reasons=(Reason("series", "modality", passed=True, text="The series is MR."),),
        notices=("Trained on adult heads without large lesions.",),
        elapsed_s=2.31,
    )
