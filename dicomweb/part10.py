"""Reading of Part 10 files, with pydicom's errors wrapped."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian

from dicom_node.domain.errors import InvalidInstance
from dicomweb.element_scan import PIXEL_KEYWORDS, UNDEFINED, PixelElement

if TYPE_CHECKING:
    from typing import BinaryIO

    from pydicom.dataset import FileDataset

#: What pydicom raises on broken files, besides its own error.
READ_ERRORS = (
    InvalidDicomError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RecursionError,
    struct.error,
    UserWarning,
)


def read_dataset(stream: BinaryIO, **options: Any) -> FileDataset:
    """Read a Part 10 stream; `options` go to `pydicom.dcmread`.

    Raises
    ------
    InvalidInstance
        If the bytes are no DICOM file.
    """
    try:
        return pydicom.dcmread(stream, **options)
    except READ_ERRORS as exc:
        raise InvalidInstance("the bytes are no readable DICOM file (PS3.10)") from exc


@dataclass(frozen=True, slots=True)
class ClaimedIdentity:
    """The UIDs in a file as its sender wrote them, empty where absent. Identity: never logged."""

    study_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def read_identity(stream: BinaryIO) -> ClaimedIdentity:
    """Read the UIDs of a stream and rewind it.

    Raises
    ------
    InvalidInstance
        If the bytes are no DICOM file.
    """
    try:
        stream.seek(0)
        ds = read_dataset(
            stream,
            stop_before_pixels=True,
            specific_tags=["StudyInstanceUID", "SOPClassUID", "SOPInstanceUID"],
        )
        return ClaimedIdentity(
            *(
                str(ds.get(keyword, "") or "").strip(" \0")
                for keyword in ("StudyInstanceUID", "SOPClassUID", "SOPInstanceUID")
            )
        )
    except READ_ERRORS as exc:
        raise InvalidInstance("the identifiers of the data set cannot be read") from exc
    finally:
        stream.seek(0)


def read_header(file: BinaryIO) -> tuple[FileDataset, PixelElement | None]:
    """Read a large file up to its pixel data, and say where that lies.

    Raises
    ------
    InvalidInstance
        If the bytes are no DICOM file.
    """
    ds = read_dataset(file, stop_before_pixels=True)
    _, little = ds.original_encoding
    at = file.tell()
    order = "<" if little else ">"
    try:
        group, element = struct.unpack(f"{order}HH", file.read(4))
        keyword = PIXEL_KEYWORDS.get(group << 16 | element)
        if keyword is None:
            return ds, None
        vr, header = "OW", 8
        field = file.read(4)
        # Some writers change to implicit VR within a data set, so the bytes decide.
        if field[:2].isalpha() and field[:2].isupper():
            vr, header = field[:2].decode("ascii"), 12
            field = file.read(4)
        (length,) = struct.unpack(f"{order}I", field)
    except struct.error:
        return ds, None
    return ds, PixelElement(keyword, vr, at, at + header, None if length == UNDEFINED else length)


def transfer_syntax_of(ds: FileDataset) -> str:
    """The transfer syntax that File Meta names; Implicit VR Little Endian where it names none."""
    return str(ds.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
