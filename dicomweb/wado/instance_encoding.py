"""Whole instances in the transfer syntax that was negotiated.

Stored bytes go out untouched wherever their transfer syntax may go over the web. Otherwise the header is
written anew, and the pixel data follows it frame by frame.

References
----------
PS3.18 §8.7.3 (transfer syntaxes of DICOM media types), PS3.5 §A.4 (encapsulation), PS3.10 §7.1.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pydicom
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from dicom_node.domain.errors import NotFound
from dicomweb.byte_order import convert_binaries
from dicomweb.byte_source import Made, Span, Whole
from dicomweb.errors import not_acceptable
from dicomweb.part10 import READ_ERRORS
from dicomweb.wado.frames import DECODE_ERRORS, native_bytes
from dicomweb.wado.transcoding import LOSSY, can_encode, decode_frame, encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import FileDataset

    from dicomweb.byte_source import Content
    from dicomweb.instance_cache import ParsedInstance
    from dicomweb.wado.frames import FrameReader

#: Transfer syntaxes that never go over the web (PS3.18 §8.7.3): they become Explicit VR Little Endian.
NEVER_SENT: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"})
#: Pixel data up to this size is made before the first byte goes out, so that what is wrong is an answer.
_AT_ONCE: Final = 64 * 1024 * 1024
_MAX_NATIVE: Final = 0xFFFFFFFE
_OFFSET_TABLES: Final = (0x7FE00001, 0x7FE00002, 0x7FE00003)
_PIXEL_DATA: Final = 0x7FE00010
_ITEM: Final = struct.Struct("<HHI").pack
_AS_STORED: Final = "ask for transfer-syntax=* to get it as stored"


def encode_instance(instance: ParsedInstance, wanted: str) -> tuple[Content, str]:
    """The Part 10 file of an instance and its transfer syntax, which is `wanted` or, for an instance
    without pixel data, Explicit VR Little Endian.

    Parameters
    ----------
    wanted
        A transfer syntax UID, or `*` for the stored one.

    Raises
    ------
    Problem
        406 if the pixel data cannot be given so.
    StorageFailure
    """  # noqa: D205
    stored = instance.transfer_syntax_uid
    if stored not in NEVER_SENT and wanted in {"*", stored}:
        return Span(instance.source, 0, instance.source.size), stored
    try:
        if instance.pixels is None or wanted in {"*", ExplicitVRLittleEndian}:
            return _native(instance), str(ExplicitVRLittleEndian)
        if not can_encode(instance.image, stored, wanted):
            raise not_acceptable(f"the pixel data cannot be given in this transfer syntax; {_AS_STORED}")
        return _compressed(instance, wanted), wanted
    except NotFound as exc:
        raise not_acceptable(f"the pixel data lacks frames; {_AS_STORED}") from exc
    except (*READ_ERRORS, *DECODE_ERRORS) as exc:
        raise not_acceptable(f"the instance cannot be written in this transfer syntax; {_AS_STORED}") from exc


def _native(instance: ParsedInstance) -> Content:
    ds = instance.read_header()
    if instance.transfer_syntax_uid == ExplicitVRBigEndian:
        convert_binaries(ds)
    if instance.pixels is None:
        return Whole(b"".join(_split(ds, str(ExplicitVRLittleEndian))))
    frames = instance.frames
    if not frames.compressed:
        return _around(ds, instance.pixels.keyword, frames.data())
    image = instance.image
    _, properties = decode_frame(frames, 0)
    _describe(ds, properties, instance.transfer_syntax_uid)
    length = _native_frame_bytes(properties) * frames.count

    def pieces() -> Iterator[bytes]:
        for index in range(frames.count):
            yield native_bytes(decode_frame(frames, index)[0], image.bits_allocated)

    if image.bits_allocated == 1:  # frames of one-bit pixels follow each other without a gap
        arrays = [decode_frame(frames, index)[0].ravel() for index in range(frames.count)]
        return _around(ds, "PixelData", Whole(native_bytes(np.concatenate(arrays), 1)))
    return _around(ds, "PixelData", Made(pieces, length))


def _around(ds: FileDataset, keyword: str, pixels: Content) -> Content:
    """Native pixel data between its header and what stands behind it."""
    size = pixels.size or 0
    if size > _MAX_NATIVE:
        raise not_acceptable(f"native pixel data of this length cannot be encoded; {_AS_STORED}")
    head, tail = _split(ds, str(ExplicitVRLittleEndian))
    bits = ds.get("BitsAllocated", 16) or 16
    tag = pydicom.datadict.tag_for_keyword(keyword) or _PIXEL_DATA
    vr = {"FloatPixelData": b"OF", "DoubleFloatPixelData": b"OD"}.get(keyword, b"OB" if bits <= 8 else b"OW")
    header = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, size + size % 2)

    def pieces() -> Iterator[bytes]:
        yield head + header
        sent = 0
        for piece in pixels.chunks():
            sent += len(piece)
            yield piece
        if sent != size:
            raise not_acceptable(f"the frames differ in size; {_AS_STORED}")
        yield b"\0" * (size % 2) + tail

    return _at_once(pieces, size, len(head) + len(header) + size + size % 2 + len(tail))


def _compressed(instance: ParsedInstance, wanted: str) -> Content:
    ds = instance.read_header()
    if instance.transfer_syntax_uid == ExplicitVRBigEndian:
        convert_binaries(ds)
    frames = instance.frames
    first, properties = decode_frame(frames, 0)
    begin = encode_frame(first, properties, wanted)
    _describe(ds, properties, instance.transfer_syntax_uid)
    head, tail = _split(ds, wanted)
    header = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + _ITEM(0xFFFE, 0xE000, 0)

    def pieces() -> Iterator[bytes]:
        yield head + header
        yield from _fragment(begin)
        for index in range(1, frames.count):
            yield from _fragment(_encoded(frames, index, wanted))
        yield _ITEM(0xFFFE, 0xE0DD, 0) + tail

    return _at_once(pieces, _native_frame_bytes(properties) * frames.count, None)


def _encoded(frames: FrameReader, index: int, wanted: str) -> bytes:
    pixels, properties = decode_frame(frames, index)
    return encode_frame(pixels, properties, wanted)


def _fragment(data: bytes) -> Iterator[bytes]:
    padding = len(data) % 2
    yield _ITEM(0xFFFE, 0xE000, len(data) + padding)
    yield data + b"\0" * padding


def _at_once(pieces: Any, native_size: int, length: int | None) -> Content:
    if native_size <= _AT_ONCE:
        return Whole(b"".join(pieces()))
    return Made(pieces, length)


def _native_frame_bytes(properties: dict[str, Any]) -> int:
    samples = int(properties["rows"]) * int(properties["columns"]) * int(properties["samples_per_pixel"])
    return samples * int(properties["bits_allocated"]) // 8


def _describe(ds: FileDataset, properties: dict[str, Any], stored: str) -> None:
    """Let the image attributes say what the pixels are once they were decoded."""
    ds.PhotometricInterpretation = str(properties["photometric_interpretation"])
    if int(properties["samples_per_pixel"]) > 1:
        ds.PlanarConfiguration = 0
    if int(properties["bits_allocated"]) != ds.get("BitsAllocated"):
        ds.BitsAllocated = int(properties["bits_allocated"])
    if stored in LOSSY and not ds.get("LossyImageCompression"):
        ds.LossyImageCompression = "01"


def _split(ds: FileDataset, syntax: str) -> tuple[bytes, bytes]:
    """The file up to the pixel data, and what stands behind it, in an explicit VR transfer syntax."""
    tail = pydicom.Dataset()
    for tag in [tag for tag in ds.keys() if tag > _PIXEL_DATA or tag in _OFFSET_TABLES]:  # noqa: SIM118
        if tag not in _OFFSET_TABLES:
            tail[tag] = ds[tag]
        del ds[tag]
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    out = BytesIO()
    pydicom.dcmwrite(out, ds, implicit_vr=False, little_endian=True, enforce_file_format=True)
    behind = DicomBytesIO()
    behind.is_implicit_VR, behind.is_little_endian = False, True
    if len(tail):
        write_dataset(behind, tail)
    return out.getvalue(), behind.getvalue()
