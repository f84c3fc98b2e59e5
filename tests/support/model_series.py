"""Series for models: studies in memory, arrays cut along any direction, inputs that must be refused."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from dicom_node.demo.series import wrap_mr_series
from dicom_node.demo.volume import Volume as Head
from dicom_node.domain.catalog import CatalogEntry, CatalogKind

#: Cosines of rows and columns, LPS, and whether slices are sent against their normal.
DIRECTIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "axial, feet first": (-1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.98480775, 0.17364818, 0, -0.17101007, 0.96984631, -0.17364818),
}
_CT = Path("/usr/share/doc/invesalius-examples/examples/Cranium.inv3")


@dataclass(frozen=True)
class MemoryStudy:
    """`ports.StudyInput` over data sets."""

    study_instance_uid: str
    version: int
    instances: tuple
    data: dict
    senders: frozenset = frozenset()

    def read(self, sop_instance_uid):
        return self.data[sop_instance_uid]


def study_of(datasets):
    """A study that holds these data sets, its instances in their order."""
    entries, data = [], {}
    for ds in datasets:
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        uid = str(ds.SOPInstanceUID)
        data[uid] = buffer.getvalue()
        header = {e.tag: e for e in ds if e.tag != 0x7FE00010}
        entries.append(
            CatalogEntry(
                study_id="study",
                kind=CatalogKind.SOURCE,
                study_instance_uid=str(ds.StudyInstanceUID),
                series_instance_uid=str(ds.SeriesInstanceUID),
                sop_instance_uid=uid,
                sop_class_uid=str(ds.SOPClassUID),
                transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
                ref=f"work:{uid}",
                attributes={f"{tag:08X}": e.to_json_dict(None, 1024) for tag, e in header.items()},
            )
        )
    return MemoryStudy(entries[0].study_instance_uid, 1, tuple(entries), data)


def mr_slices(
    voxels, directions="axial", *, spacing=(2.0, 1.0, 0.5), origin=(-20.0, 30.0, 5.0), tilt=0.0, **attributes
):
    """MR instances of an array.

    Parameters
    ----------
    voxels
        uint16 or int16 (slices, rows, columns), slices ascending along their normal.
    directions
        A name of `DIRECTIONS`, or cosines.
    spacing
        Between slices, rows and columns, mm.
    tilt
        How far each slice lies down its columns from the one before, as part of the distance of slices.
    """
    cosines = np.array(DIRECTIONS.get(directions, directions), dtype=float)
    normal = np.cross(cosines[:3], cosines[3:]) + tilt * cosines[3:]
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    return [
        _mr_slice(
            plane,
            {
                "StudyInstanceUID": study,
                "SeriesInstanceUID": series,
                "FrameOfReferenceUID": frame,
                "ImageOrientationPatient": [round(float(c), 8) for c in cosines],
                "ImagePositionPatient": [round(float(x), 6) for x in origin + index * spacing[0] * normal],
                "PixelSpacing": [spacing[1], spacing[2]],
                "InstanceNumber": 1000 - index,
                **attributes,
            },
        )
        for index, plane in enumerate(voxels)
    ]


def _mr_slice(plane, attributes):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.Modality, ds.BodyPartExamined = "MR", "HEAD"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    ds.ScanningSequence, ds.SequenceVariant = ["GR", "IR"], ["SP", "MP"]
    ds.RepetitionTime, ds.EchoTime, ds.InversionTime, ds.FlipAngle = "1900", "2.5", "900", "9"
    ds.PatientAge = "045Y"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = plane.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = int(plane.dtype.kind == "i")
    ds.PixelData = np.ascontiguousarray(plane).astype(plane.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def as_t1_mr(voxels, spacing=(1.0, 1.0, 1.0), plane="axial"):
    """An array whose axes run right, anterior, superior, wrapped as if it were a T1-weighted MR head."""
    head = Head(np.clip(np.round(voxels), 0, 32767).astype(np.int16), np.diag([*spacing, 1.0]))
    return list(wrap_mr_series(head, seed="liar", plane=plane))


def ct_head():
    """A real head CT of invesalius-examples: HU (right, anterior, superior), 0.957 x 0.957 x 1.5 mm."""
    if not _CT.is_file():
        pytest.skip("needs invesalius-examples")
    with tarfile.open(_CT) as archive:
        name = next(n for n in archive.getnames() if n.endswith("matrix.dat"))
        raw = np.frombuffer(archive.extractfile(name).read(), dtype="<i2")
    return raw.reshape(108, 256, 256).transpose(2, 1, 0)
