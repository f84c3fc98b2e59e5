"""A PS3.10 instance from metadata and the parts that it refers to, written piece by piece.

References
----------
PS3.10 §7.1 (File Meta Information), PS3.5 §A.4 (encapsulation), PS3.18 §8.7.3.3.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.domain.errors import InvalidInstance, SopClassMismatch
from dicomweb.json_reader import encode
from dicomweb.stow.pixel_data import BulkPart, PixelData, Stretch, pixel_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PIXEL_DATA = "7FE00010"
_SOP_CLASS, _SOP_INSTANCE = "00080016", "00080018"
_DOCUMENT, _DOCUMENT_TYPE, _DOCUMENT_LENGTH = "00420011", "00420012", "00420015"
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_UNDEFINED = 0xFFFFFFFF
_LONGEST = 0xFFFFFFFE
_COPY = 1024 * 1024
#: Bytes of all values of an instance but its pixel data, which are put together in memory.
MAX_VALUES = 512 * 1024 * 1024


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def assemble(model: dict[str, Any], resolve: Callable[[str], Sequence[BulkPart]], out: _Sink) -> None:
    """Write the instance that `model` describes; the model is completed from its pictures.

    Parameters
    ----------
    model
        DICOM JSON; changed in place.
    resolve
        The parts that a BulkDataURI names, in their order; raises `InvalidInstance` where none came.

    Raises
    ------
    InvalidInstance, SopClassMismatch, UnsupportedTransferSyntax
    """
    pixels = None
    attribute = model.get(_PIXEL_DATA)
    if isinstance(attribute, dict) and attribute.get("BulkDataURI") is not None:
        del model[_PIXEL_DATA]
        pixels = pixel_data(resolve(str(attribute["BulkDataURI"])), model)
    document = model.get(_DOCUMENT)
    if isinstance(document, dict) and document.get("BulkDataURI") is not None:
        _describe_document(model, resolve(str(document["BulkDataURI"])))
    values = _Values(resolve)
    before = {tag: value for tag, value in model.items() if tag.upper() <= _PIXEL_DATA}
    data_set = encode(before, values)
    out.write(_file_meta(model, pixels.transfer_syntax if pixels else str(ExplicitVRLittleEndian)))
    out.write(data_set)
    if pixels is not None:
        _write_pixels(pixels, out)
    behind = {tag: value for tag, value in model.items() if tag.upper() > _PIXEL_DATA}
    if behind:
        out.write(encode(behind, values))


class _Values:
    """The bytes of values other than pixel data, within a bound."""

    def __init__(self, resolve: Callable[[str], Sequence[BulkPart]]) -> None:
        self._resolve = resolve
        self._left = MAX_VALUES

    def __call__(self, uri: str) -> bytes:
        pieces = []
        for part in self._resolve(uri):
            size = part.stream.seek(0, io.SEEK_END)
            self._left -= size
            if self._left < 0:
                raise InvalidInstance(f"values beside the pixel data have more than {MAX_VALUES} bytes")
            part.stream.seek(0)
            pieces.append(part.stream.read(size))
        return b"".join(pieces)


def _describe_document(model: dict[str, Any], parts: Sequence[BulkPart]) -> None:
    """Complete type and length of an encapsulated document from its part (PS3.3 §C.24.2)."""
    name = parts[0].media_type.name
    size = sum(part.stream.seek(0, io.SEEK_END) for part in parts)
    for tag, vr, value in ((_DOCUMENT_TYPE, "LO", name), (_DOCUMENT_LENGTH, "UL", size)):
        if tag == _DOCUMENT_TYPE and name == "application/octet-stream":
            continue
        stated = (model.get(tag) or {}).get("Value") or [None]
        if stated[0] is None:
            model[tag] = {"vr": vr, "Value": [value]}
        elif stated[0] != value:
            raise SopClassMismatch("type or length of the document differ in the metadata and in its part")


def _file_meta(model: dict[str, Any], transfer_syntax: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_uid(model, _SOP_CLASS))
    meta.MediaStorageSOPInstanceUID = UID(_uid(model, _SOP_INSTANCE))
    meta.TransferSyntaxUID = UID(transfer_syntax)
    buffer = DicomBytesIO()
    buffer.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(buffer, meta, enforce_standard=True)
    return bytes(buffer.getvalue())


def _uid(model: dict[str, Any], tag: str) -> str:
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else None
    if not isinstance(value, str) or not value or len(value) > 64 or not value.isascii():
        raise InvalidInstance("SOP Class UID or SOP Instance UID is missing in the metadata, or malformed")
    return value


def _write_pixels(pixels: PixelData, out: _Sink) -> None:
    total = sum(stretch.size for stretch in pixels.stretches)
    if not pixels.encapsulated:
        if total > _LONGEST:
            raise InvalidInstance("uncompressed pixel data has more than 4 GB; send it compressed")
        out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, total + total % 2))
        for stretch in pixels.stretches:
            _copy(stretch, out)
        out.write(b"\0" * (total % 2))
        return
    if any(stretch.size > _LONGEST for stretch in pixels.stretches):
        raise InvalidInstance("a compressed frame has more than 4 GB")
    out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, _UNDEFINED))
    offsets = _offsets(pixels.stretches)
    out.write(_ITEM + struct.pack(f"<I{len(offsets)}I", 4 * len(offsets), *offsets))
    for stretch in pixels.stretches:
        out.write(_ITEM + struct.pack("<I", stretch.size + stretch.size % 2))
        _copy(stretch, out)
        out.write(b"\0" * (stretch.size % 2))
    out.write(_SEQUENCE_END)


def _offsets(stretches: Sequence[Stretch]) -> list[int]:
    """The Basic Offset Table; empty for one frame, and where 32 bits are too few."""
    offsets, at = [], 0
    for stretch in stretches:
        offsets.append(at)
        at += 8 + stretch.size + stretch.size % 2
    return offsets if len(offsets) > 1 and offsets[-1] <= _LONGEST else []


def _copy(stretch: Stretch, out: _Sink) -> None:
    stream: BinaryIO = stretch.stream
    stream.seek(stretch.start)
    left = stretch.size
    while left:
        piece = stream.read(min(left, _COPY))
        if not piece:
            raise InvalidInstance("a part ended early; send it again")
        out.write(piece)
        left -= len(piece)
