"""Data sets as Part 10 bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement

_PIXEL_DATA = Tag("PixelData")


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
        self._sop_class_uid = template.SOPClassUID
        self._encoded = {int(element.tag): _encode(element) for element in template}

    def write(self, ds: Dataset, pixels: bytes) -> bytes:
        """Part 10 bytes, Explicit VR Little Endian, of the template with the elements of `ds`.

        Parameters
        ----------
        pixels
            Native 8-bit Pixel Data.
        """
        elements = self._encoded | {int(element.tag): _encode(element) for element in ds}
        meta = DicomBytesIO()
        write_file_meta_info(meta, _file_meta(self._sop_class_uid, ds.SOPInstanceUID))
        body = [elements[tag] for tag in sorted(elements) if tag < _PIXEL_DATA]
        header = b"\xe0\x7f\x10\x00OB\x00\x00" + (len(pixels) + len(pixels) % 2).to_bytes(4, "little")
        return b"".join(
            (b"\0" * 128, b"DICM", meta.getvalue(), *body, header, pixels, b"\0" * (len(pixels) % 2))
        )


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
