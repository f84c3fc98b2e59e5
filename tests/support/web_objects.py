"""Objects on which DICOMweb servers differ: odd one-bit frames, floats, PDFs, reports, compressed pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from dicomweb_node import sample_bytes, slice_dataset

STUDY = "2.25.10"
#: An odd matrix: no frame but the first begins at a byte.
MASK_SHAPE = (3, 7, 5)


def mask_frames() -> np.ndarray:
    """The frames of `mask`, shape (frames, rows, columns), 0 or 1."""
    return np.random.default_rng(7).integers(0, 2, MASK_SHAPE, np.uint8)


def mask() -> pydicom.Dataset:
    """A one-bit image with the attributes of a segmentation."""
    frames, rows, columns = MASK_SHAPE
    ds = slice_dataset(1, series="2.25.21", rows=rows, columns=columns)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    ds.Modality, ds.SeriesDescription = "SEG", "mask"
    ds.NumberOfFrames, ds.SegmentationType = frames, "BINARY"
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    bits = np.packbits(mask_frames().ravel(), bitorder="little").tobytes()
    ds.PixelData = bits + b"\0" * (len(bits) % 2)
    ds["PixelData"].VR = "OB"
    return ds


def float_values() -> np.ndarray:
    """The pixels of `float_map`, shape (rows, columns)."""
    return (np.arange(8 * 6, dtype="<f4") / 7 - 2).reshape(8, 6)


def float_map() -> pydicom.Dataset:
    """A parametric map of one frame with FloatPixelData."""
    ds = slice_dataset(1, series="2.25.22", rows=8, columns=6)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.30"
    ds.Modality, ds.SeriesDescription, ds.NumberOfFrames = "OT", "map", 1
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.BitsAllocated = 32
    ds.FloatPixelData = float_values().tobytes()
    return ds


def document() -> pydicom.Dataset:
    """An encapsulated PDF of odd length."""
    ds = slice_dataset(1, series="2.25.23")
    for keyword in ("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit"):
        delattr(ds, keyword)
    for keyword in ("PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    ds.Modality, ds.SeriesDescription = "DOC", "report"
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    content = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n\n"[:67]
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    ds.EncapsulatedDocumentLength = len(content)
    return ds


def of_sample(name: str, series: str, study: str = STUDY) -> pydicom.Dataset:
    """A file of pydicom's, taken into the study."""
    ds = pydicom.dcmread(io.BytesIO(sample_bytes(name)))
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = study, series, f"{series}.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID = "Pseudo^One", "P-1"
    return ds


def instance_path(entry: Any) -> str:
    """Where an instance must be found, written out here so that the service is held to it."""
    return (
        f"/dicom-web/studies/{entry.study_instance_uid}/series/{entry.series_instance_uid}"
        f"/instances/{entry.sop_instance_uid}"
    )
