"""Objects of every category of rendered resources (PS3.18 §8.7.2)."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
from dicomweb_node import sample_bytes, slice_dataset, to_bytes
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG2MPML, MPEG4HP41, EncapsulatedPDFStorage, SegmentationStorage

from dicomweb.wado.colour import LABEL_MAP_SEGMENTATION_STORAGE
from dicomweb.wado.video import encode_mp4

if TYPE_CHECKING:
    from collections.abc import Callable

MASKS = np.array([[[1, 0, 1], [0, 0, 0]], [[1, 1, 1], [1, 1, 0]]], np.uint8)


def cine(frames: int = 5, **attributes: Any) -> Dataset:
    ds = slice_dataset(
        1,
        rows=31,
        columns=45,
        NumberOfFrames=frames,
        WindowCenter=frames * 50,
        WindowWidth=frames * 100,
        FrameTime=250,
        **attributes,
    )
    stack = np.repeat(np.arange(frames) * 100, 31 * 45).astype("<u2")
    ds.PixelData = stack.tobytes() + b"\0" * (stack.nbytes % 2)
    return ds


def stored_video(frames: int = 4) -> tuple[Dataset, bytes]:
    """An instance whose pixel data is an MP4 container."""
    pictures = [np.full((32, 48, 3), shade, np.uint8) for shade in np.linspace(20, 240, frames)]
    stream = encode_mp4(pictures, 10.0)
    assert stream is not None
    ds = slice_dataset(
        1,
        rows=32,
        columns=48,
        NumberOfFrames=frames,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="YBR_PARTIAL_420",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
    )
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2)])
    ds["PixelData"].is_undefined_length = True
    return ds, stream


def mpeg2(frames: int = 12) -> tuple[Dataset, bytes]:
    """An instance of an MPEG2 transport stream, and this stream."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "film.ts")
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mpg2"), 25.0, (48, 32))
        for shade in np.linspace(20, 240, frames):
            writer.write(np.full((32, 48, 3), shade, np.uint8))
        writer.release()
        stream = path.read_bytes()
    ds, _ = stored_video(frames)
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].is_undefined_length = True
    return ds, stream


def segmentation(kind: str, pixels: np.ndarray, bits: int) -> Dataset:
    """Two segments; frames 1 and 2 belong to them in turn, but for LABELMAP."""
    ds = slice_dataset(
        1,
        rows=pixels.shape[1],
        columns=pixels.shape[2],
        NumberOfFrames=len(pixels),
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        SegmentationType=kind,
        MaximumFractionalValue=200,
    )
    uid = LABEL_MAP_SEGMENTATION_STORAGE if kind == "LABELMAP" else SegmentationStorage
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid
    ds.Modality = "SEG"
    ds.SegmentSequence, ds.PerFrameFunctionalGroupsSequence = [], []
    for number, lab in ((1, [35579, 53665, 50859]), (2, [19379, 50449, 4104])):  # sRGB red and blue
        segment = Dataset()
        segment.SegmentNumber, segment.RecommendedDisplayCIELabValue = number, lab
        ds.SegmentSequence.append(segment)
        named, group = Dataset(), Dataset()
        named.ReferencedSegmentNumber = number
        group.SegmentIdentificationSequence = [named]
        ds.PerFrameFunctionalGroupsSequence.append(group)
    data = np.packbits(pixels.ravel(), bitorder="little") if bits == 1 else pixels.astype(np.uint8)
    ds.PixelData = data.tobytes() + b"\0" * (data.nbytes % 2)
    ds["PixelData"].VR = "OB"
    return ds


def pdf(length: int | None = None) -> tuple[Dataset, bytes]:
    content = b"%PDF-1.4\n%%EOF\n"
    ds = slice_dataset(1)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    ds.MIMETypeOfEncapsulatedDocument, ds.EncapsulatedDocument = "application/pdf", content + b"\0"
    ds.EncapsulatedDocumentLength = len(content)
    return ds, content


def report(number: int) -> Dataset:
    ds = pydicom.dcmread(io.BytesIO(sample_bytes("reportsi.dcm")))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.10", "2.25.40"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.40.{number}"
    return ds


#: Makes one object of each category.
CATEGORIES: dict[str, Callable[[], Dataset | bytes]] = {
    "Single frame image": lambda: slice_dataset(1),
    "Multi-frame image": cine,
    "Stored video (H.264 in MP4)": lambda: stored_video()[0],
    "Stored video (MPEG2)": lambda: mpeg2()[0],
    "Segmentation": lambda: segmentation("BINARY", MASKS, 1),
    "Structured report": lambda: to_bytes(report(1)),
    "Encapsulated PDF": lambda: pdf()[0],
}
