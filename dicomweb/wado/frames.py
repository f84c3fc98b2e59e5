"""Single frames of an instance: as stored, or decoded to Explicit VR Little Endian.

References
----------
PS3.18 §8.7.3.3 (media types of pixel data), PS3.5 §8.1.1 (bit packing), PS3.5 §A.4 (fragments).
"""

from __future__ import annotations

import math
import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from dicom_node.domain.errors import NotFound
from dicomweb.byte_order import pixel_bytes
from dicomweb.errors import not_acceptable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import FileDataset

_PIXELS = {"PixelData": None, "FloatPixelData": 32, "DoubleFloatPixelData": 64}
#: Media type of a compressed frame by transfer syntax (PS3.18 Table 8.7.3-5 and the video types).
COMPRESSED_MEDIA_TYPES = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.100": "video/mpeg2",
    "1.2.840.10008.1.2.4.101": "video/mpeg2",
    "1.2.840.10008.1.2.4.102": "video/mp4",
    "1.2.840.10008.1.2.4.103": "video/mp4",
    "1.2.840.10008.1.2.4.104": "video/mp4",
    "1.2.840.10008.1.2.4.105": "video/mp4",
    "1.2.840.10008.1.2.4.106": "video/mp4",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}

#: What decoders of pydicom and its plugins raise on data that they cannot decode.
DECODE_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
    OSError,
    EOFError,
    struct.error,
    UserWarning,
)


def is_compressed(transfer_syntax_uid: str) -> bool:
    """Whether pixel data of this transfer syntax is encapsulated; unknown ones are."""
    uid = UID(transfer_syntax_uid)
    return not uid.is_transfer_syntax or uid.is_encapsulated


def can_decode(transfer_syntax_uid: str) -> bool:
    """Whether a decoder for this transfer syntax is installed."""
    try:
        return bool(get_decoder(transfer_syntax_uid).is_available)
    except NotImplementedError:
        return False


class FrameReader:
    """The frames of one instance; indices count from 0.

    Raises
    ------
    NotFound
        If the instance has no pixel data.
    """

    def __init__(self, ds: FileDataset) -> None:
        self._ds = ds
        keyword = next((keyword for keyword in _PIXELS if keyword in ds), None)
        if keyword is None:
            raise NotFound("the instance has no pixel data, so it has no frames")
        self._keyword = keyword
        self._syntax = str(ds.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
        self.compressed = is_compressed(self._syntax)
        self.count = _count(ds)
        self._stored: Sequence[bytes] | None = self._split() if self.compressed else None

    @cached_property
    def data(self) -> bytes:
        """All native pixel data, little endian."""
        return pixel_bytes(self._ds, self._keyword)

    def stored(self, index: int) -> bytes:
        """One frame as stored: the compressed bitstream, or native pixels in little endian order.

        One-bit frames are packed, first pixel in the lowest bit, and begin at a byte of their own.

        Raises
        ------
        NotFound
            If there is no such frame.
        """
        if self._stored is None:
            return self.native(index)
        if not 0 <= index < min(self.count, len(self._stored)):
            raise self._missing(index)
        return self._stored[index]

    def native(self, index: int) -> bytes:
        """One frame as Explicit VR Little Endian holds it; colour as RGB where it was compressed.

        Raises
        ------
        NotFound
            If there is no such frame.
        Problem
            406 if the compressed data cannot be decoded here.
        """
        if not 0 <= index < self.count:
            raise self._missing(index)
        if self._stored is not None:
            return self._native_bytes(self.pixels(index))
        data = self.data
        bits = self._bits()
        pixels = math.prod(int(self._ds.get(keyword, 1) or 1) for keyword in ("Rows", "Columns"))
        pixels *= int(self._ds.get("SamplesPerPixel", 1) or 1)
        if self._ds.get("PhotometricInterpretation") == "YBR_FULL_422":
            pixels = pixels // 3 * 2
        if bits == 1:
            return self._packed(data, index, pixels)
        length = pixels * bits // 8
        frame = data[index * length : (index + 1) * length]
        if len(frame) < length or not length:
            raise self._missing(index)
        return frame

    def pixels(self, index: int, *, raw: bool = False) -> NDArray[Any]:
        """One decoded frame, shape (rows, columns) or (rows, columns, samples); YBR becomes RGB.

        Parameters
        ----------
        raw
            Leave the colour space as it is.

        Raises
        ------
        NotFound
            If there is no such frame.
        Problem
            406 if the data cannot be decoded here.
        """
        if not 0 <= index < self.count:
            raise self._missing(index)
        try:
            array, _ = get_decoder(self._syntax).as_array(self._ds, index=index, raw=raw)
        except DECODE_ERRORS as exc:
            raise not_acceptable(
                "the pixel data cannot be decoded here; ask for transfer-syntax=* to get it as stored"
            ) from exc
        return array

    def _native_bytes(self, pixels: NDArray[Any]) -> bytes:
        if self._bits() == 1:
            return np.packbits(pixels.astype(bool).ravel(), bitorder="little").tobytes()
        if pixels.dtype.byteorder == ">":
            pixels = pixels.astype(pixels.dtype.newbyteorder("<"))
        return pixels.tobytes()

    def _packed(self, data: bytes, index: int, pixels: int) -> bytes:
        """A one-bit frame cut out of the bit stream in which frames follow each other without a gap."""
        first, last = index * pixels, (index + 1) * pixels
        if last > len(data) * 8:
            raise self._missing(index)
        if first % 8 == 0 and pixels % 8 == 0:
            return data[first // 8 : last // 8]
        span = np.frombuffer(data, np.uint8)[first // 8 : math.ceil(last / 8)]
        bits = np.unpackbits(span, bitorder="little")
        offset = first % 8
        return np.packbits(bits[offset : offset + pixels], bitorder="little").tobytes()

    def _split(self) -> list[bytes]:
        """The bitstreams of all frames, fragments joined."""
        ds = self._ds
        extended = None
        if "ExtendedOffsetTable" in ds and "ExtendedOffsetTableLengths" in ds:
            extended = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths)
        try:
            return list(generate_frames(ds.PixelData, number_of_frames=self.count, extended_offsets=extended))
        except DECODE_ERRORS as exc:
            raise NotFound("the encapsulated pixel data is broken; no frame can be cut out") from exc

    def _bits(self) -> int:
        return _PIXELS[self._keyword] or int(self._ds.get("BitsAllocated", 8) or 8)

    def _missing(self, index: int) -> NotFound:
        return NotFound(f"the instance has no frame {index + 1}; it has {self.count}")


def _count(ds: FileDataset) -> int:
    try:
        return max(1, int(ds.get("NumberOfFrames", 1) or 1))
    except (TypeError, ValueError):
        return 1
