"""Single frames of an instance: as stored, or decoded to Explicit VR Little Endian.

References
----------
PS3.18 §8.7.3.3 (media types of pixel data), PS3.5 §8.1.1 (bit packing), PS3.5 §A.4 (fragments).
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from dicom_node.domain.errors import NotFound
from dicomweb.byte_order import little_endian, word_bytes
from dicomweb.byte_source import CHUNK_BYTES, Made, Span, Whole
from dicomweb.errors import not_acceptable
from dicomweb.wado.fragments import find_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dicomweb.byte_source import ByteSource, Content
    from dicomweb.element_scan import PixelElement
    from dicomweb.wado.fragments import Encapsulated
    from dicomweb.wado.image_layout import ImageLayout

#: Frames in an encapsulation, not compressed (PS3.5 §A.4.11).
ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
#: Moving pictures: one stream, from which no frame can be cut.
VIDEO: Final = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in range(100, 109)) | frozenset(
    f"1.2.840.10008.1.2.4.{n}.1" for n in range(100, 107)
)

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
    if transfer_syntax_uid == ENCAPSULATED_UNCOMPRESSED:
        return True
    try:
        return bool(get_decoder(transfer_syntax_uid).is_available)
    except NotImplementedError:
        return False


class FrameReader:
    """The frames of one instance; indices count from 0.

    Attributes
    ----------
    compressed
        Whether the pixel data is encapsulated.
    count
        Number of Frames.
    image
        How the pixels lie in a frame.

    Raises
    ------
    NotFound
        If encapsulated pixel data is broken.
    StorageFailure
    """

    def __init__(self, source: ByteSource, pixels: PixelElement, image: ImageLayout, syntax: str) -> None:
        self._source = source
        self._pixels = pixels
        self._syntax = syntax
        self.image = image
        self.compressed = is_compressed(syntax)
        self.count = image.frames
        self.video = syntax in VIDEO
        self._found: Encapsulated | None = None
        if self.compressed:
            self._found = find_frames(source, pixels.start, 1 if self.video else image.frames)
        self._length = 0 if self.compressed else min(pixels.length or 0, source.size - pixels.start)
        self._turned = not self.compressed and syntax == ExplicitVRBigEndian

    @property
    def end(self) -> int:
        """Offset in the source behind the pixel data."""
        return self._found.end if self._found is not None else self._pixels.start + self._length

    def data(self) -> Content:
        """All native pixel data, little endian; or the one stream of a video."""
        if self._found is not None:
            return self._joined(self._found.frames[0])
        whole = Span(self._source, self._pixels.start, self._length)
        if not self._turned:
            return whole
        bits = self.image.bits_allocated
        # Chunks are whole words of any width.
        swap = lambda: (little_endian(piece, self._pixels.vr, bits) for piece in whole.chunks())  # noqa: E731
        return Made(swap, self._length)

    def stored(self, index: int) -> Content:
        """One frame as stored: the compressed bitstream, or native pixels in little endian order.

        One-bit frames are packed, first pixel in the lowest bit, and begin at a byte of their own.

        Raises
        ------
        NotFound
            If there is no such frame.
        Problem
            406 if it is a frame of a video.
        """
        if self._found is None:
            return self.native(index)
        if self.video:
            raise not_acceptable("no frame can be cut out of a video; retrieve its pixeldata or bulkdata")
        if not 0 <= index < min(self.count, len(self._found.frames)):
            raise self._missing(index)
        return self._joined(self._found.frames[index])

    def native(self, index: int) -> Content:
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
        image = self.image
        if self._found is not None:
            return Whole(native_bytes(self.pixels(index), image.bits_allocated))
        if image.bits_allocated == 1:
            return Whole(self._packed(index))
        length = image.frame_bytes
        if not length or (index + 1) * length > self._length:
            raise self._missing(index)
        if self._turned:
            return Whole(self._turned_bytes(index * length, length))
        return Span(self._source, self._pixels.start + index * length, length)

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
        return self.decoded(index, raw=raw)[0]

    def decoded(self, index: int, *, raw: bool = False) -> tuple[NDArray[Any], dict[str, Any]]:
        """The same, and what pydicom says of its pixels.

        Raises
        ------
        NotFound, Problem
        """
        if not 0 <= index < self.count:
            raise self._missing(index)
        compressed = self._found is not None and self._syntax != ENCAPSULATED_UNCOMPRESSED
        frame = self.stored(index) if self._found is not None else self.native(index)
        data = b"".join(frame.chunks())
        try:
            decoder = get_decoder(self._syntax if compressed else str(ExplicitVRLittleEndian))
            source = encapsulate([data], has_bot=False) if compressed else data + b"\0" * (len(data) % 2)
            array, properties = decoder.as_array(source, index=0, raw=raw, **self.image.options())
        except DECODE_ERRORS as exc:
            raise not_acceptable(
                "the pixel data cannot be decoded here; ask for transfer-syntax=* to get it as stored"
            ) from exc
        return array, dict(properties)

    def _packed(self, index: int) -> bytes:
        """A one-bit frame cut out of the bit stream in which frames follow each other without a gap."""
        pixels = self.image.pixels
        first, last = index * pixels, (index + 1) * pixels
        if not pixels or last > self._length * 8:
            raise self._missing(index)
        start, stop = first // 8, math.ceil(last / 8)
        if self._turned:
            data = self._turned_bytes(start, stop - start)
        else:
            data = self._source.read(self._pixels.start + start, stop - start)
        offset = first % 8
        if offset == 0 and pixels % 8 == 0:
            return data[: pixels // 8]
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        return np.packbits(bits[offset : offset + pixels], bitorder="little").tobytes()

    def _turned_bytes(self, start: int, length: int) -> bytes:
        """Big endian bytes turned; whole words are read, since a frame may end within one."""
        width = word_bytes(self._pixels.vr, self.image.bits_allocated)
        first = start // width * width
        last = min(self._length, -(-(start + length) // width) * width)
        data = self._source.read(self._pixels.start + first, last - first)
        turned = little_endian(data, self._pixels.vr, self.image.bits_allocated)
        return turned[start - first : start - first + length]

    def _joined(self, fragments: tuple[tuple[int, int], ...]) -> Content:
        if len(fragments) == 1:
            return Span(self._source, *fragments[0])
        source = self._source

        def pieces() -> Iterator[bytes]:
            for offset, length in fragments:
                yield from source.chunks(offset, offset + length)

        size = sum(length for _, length in fragments)
        return Whole(b"".join(pieces())) if size <= CHUNK_BYTES else Made(pieces, size)

    def _missing(self, index: int) -> NotFound:
        return NotFound(f"the instance has no frame {index + 1}; it has {self.count}")


def native_bytes(pixels: NDArray[Any], bits_allocated: int) -> bytes:
    """A decoded frame as Explicit VR Little Endian holds it; one-bit pixels packed."""
    if bits_allocated == 1:
        return np.packbits(pixels.astype(bool).ravel(), bitorder="little").tobytes()
    if pixels.dtype.byteorder == ">":
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"))
    return pixels.tobytes()
