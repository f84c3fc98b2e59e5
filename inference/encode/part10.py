"""Data sets as Part 10 bytes."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset, validate_file_meta
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataelem import DataElement

_PREAMBLE = b"\0" * 128 + b"DICM"
_PIXEL_DATA = 0x7FE00010
_MEDIA_UID = 0x00020003


def to_part10(ds: Dataset) -> bytes:
    """Write a data set with a new File Meta as Explicit VR Little Endian (PS3.10 §7.1)."""
    ds.file_meta = _file_meta(ds.SOPClassUID, ds.SOPInstanceUID)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class StaticPart10:
    """Writes many instances that differ in a few elements, encoding what they share only once.

    Parameters
    ----------
    template
        All elements; those that differ are replaced at each `write`.
    """

    def __init__(self, template: Dataset) -> None:
        self._shared = {int(element.tag): _encode(element) for element in template}
        meta = _file_meta(template.SOPClassUID, template.SOPInstanceUID)
        validate_file_meta(meta)
        self._meta = {int(element.tag): _encode(element) for element in meta if element.tag.element != 0}

    def write(self, sop_instance_uid: str, varying: Mapping[str, bytes], pixels: memoryview) -> bytes:
        """Part 10 bytes, Explicit VR Little Endian, of the template with some elements replaced.

        Parameters
        ----------
        varying
            Keyword to encoded element, see `short_element` and `sequence_element`.
        pixels
            Native 8-bit Pixel Data.
        """
        uid = {"SOPInstanceUID": short_element("SOPInstanceUID", "UI", sop_instance_uid)}
        replaced = {tag_of(keyword): element for keyword, element in {**uid, **varying}.items()}
        body = _in_order(self._shared | replaced)
        meta = _in_order(
            self._meta | {_MEDIA_UID: short_element("MediaStorageSOPInstanceUID", "UI", sop_instance_uid)}
        )
        length = struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(meta))
        size = pixels.nbytes
        header = struct.pack("<HH2sHL", _PIXEL_DATA >> 16, _PIXEL_DATA & 0xFFFF, b"OB", 0, size + size % 2)
        return b"".join((_PREAMBLE, length, meta, body, header, pixels, b"\0" * (size % 2)))


def short_element(keyword: str, vr: str, *values: str) -> bytes:
    """Encode an element of a VR with a two-byte length; ASCII values (PS3.5 §7.1.2)."""
    value = "\\".join(values).encode("ascii")
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    tag = tag_of(keyword)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def sequence_element(keyword: str, *items: bytes) -> bytes:
    """Encode a sequence of encoded items, with defined lengths (PS3.5 §7.5)."""
    value = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    tag = tag_of(keyword)
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(value)) + value


def tag_of(keyword: str) -> int:
    """The tag of a keyword as a number.

    Raises
    ------
    KeyError
        If the standard has no such keyword.
    """
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


def _in_order(elements: Mapping[int, bytes]) -> bytes:
    return b"".join(elements[tag] for tag in sorted(elements))


def _encode(element: DataElement) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, ["ISO_IR 192"])
    return buffer.getvalue()


def _file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta
