"""Pictures that DICOM has no transfer syntax for, as native pixel data."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from dicom_node.domain.errors import InvalidInstance
from dicomweb.stow.codestreams import Picture, describe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Pixels = NDArray[np.uint8] | NDArray[np.uint16]

#: Pixels of one picture: a small file can claim to be enormous.
MAX_PIXELS = 100_000_000
#: Bytes of one file; it is decoded in memory.
MAX_FILE = 512 * 1024 * 1024
_PNG_START = b"\x89PNG\r\n\x1a\n"
_GREY, _GREY_ALPHA = 0, 4


def decode_picture(stream: BinaryIO, size: int, media_type: str) -> tuple[Picture, bytes]:
    """Decode a PNG or JPEG to little-endian samples, colour by pixel.

    Parameters
    ----------
    size
        Bytes of the stream, which is read from its position on.

    Raises
    ------
    InvalidInstance
        If it is no such picture, too large, or partly transparent: DICOM knows no transparency.
    """
    if size > MAX_FILE:
        raise InvalidInstance(f"a picture has more than {MAX_FILE} bytes; send it as DICOM")
    data = stream.read(size)
    if media_type == "image/png":
        rows, columns, kind = _png_header(data)
    else:
        picture = describe(data)
        rows, columns, kind = picture.rows, picture.columns, _GREY if picture.samples == 1 else 2
    if not 0 < rows * columns <= MAX_PIXELS:
        raise InvalidInstance(f"a picture has no pixels, or more than {MAX_PIXELS}; send it as DICOM")
    pixels = _opaque(_decode(data), kind)
    bits = pixels.dtype.itemsize * 8
    samples = 1 if pixels.ndim == 2 else 3
    photometric = "MONOCHROME2" if samples == 1 else "RGB"
    described = Picture(pixels.shape[0], pixels.shape[1], samples, bits, False, photometric, None)
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return described, np.ascontiguousarray(little).tobytes()


def _png_header(data: bytes) -> tuple[int, int, int]:
    """Rows, columns and colour type of a PNG whose every chunk is whole: decoders pass over cut ends."""
    if not data.startswith(_PNG_START + b"\x00\x00\x00\x0dIHDR") or len(data) < 33:
        raise InvalidInstance("a picture is no PNG, as its Content-Type says")
    at = len(_PNG_START)
    kind = b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise InvalidInstance("a PNG picture is cut off; send it again")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if data[end : end + 4] != zlib.crc32(data[at + 4 : end]).to_bytes(4, "big"):
            raise InvalidInstance("a PNG picture is damaged; send it again")
        at = end + 4
    columns, rows, _bits, colour = struct.unpack_from(">IIBB", data, 16)
    return rows, columns, colour


def _decode(data: bytes) -> _Pixels:
    import cv2  # here: it takes a tenth of a second, and few nodes get pictures

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidInstance("a picture cannot be decoded; send it again")
    decoded: _Pixels = pixels
    return decoded


def _opaque(pixels: _Pixels, kind: int) -> _Pixels:
    """Without the alpha channel, red first."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    if pixels.shape[2] == 4:
        if (pixels[:, :, 3] != np.iinfo(pixels.dtype).max).any():
            raise InvalidInstance("a picture is partly transparent; flatten it before you send it")
        pixels = pixels[:, :, :3]
    return pixels[:, :, 0] if kind in (_GREY, _GREY_ALPHA) else pixels[:, :, ::-1]
