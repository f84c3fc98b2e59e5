"""Reading of Part 10 files, with pydicom's errors wrapped."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.errors import InvalidDicomError

from dicom_node.domain.errors import InvalidInstance

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
