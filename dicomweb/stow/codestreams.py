"""What a compressed picture says of itself: size, samples, bits, colour and the transfer syntax it fits.

References
----------
ITU-T T.81 Annex B (JPEG), T.87 Annex C (JPEG-LS), T.800 Annex A and I (JPEG 2000), PS3.5 §8.2 and §A.4,
PS3.18 Table 8.7.3-5 (media types).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from dicom_node.domain.errors import InvalidInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes at the front that hold the headers of a picture; profiles and comments may stand before them.
HEAD_BYTES = 4 * 1024 * 1024

_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JP2_START = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_SCAN, _ADOBE, _JFIF = 0xDA, 0xEE, 0xE0
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_LOSSY: dict[str, str] = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
    HTJ2K: "ISO_15444_15",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture's own description.

    Attributes
    ----------
    photometric
        Photometric Interpretation of the pixel data as it is encoded.
    transfer_syntax
        UID that its encoding fits, or `None` where DICOM has none (progressive JPEG): decode it then.
    offset, end
        Where the code stream lies; the boxes of a JP2 file around it are not kept in DICOM. `None`: to the
        picture's end.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool
    photometric: str
    transfer_syntax: str | None
    offset: int = 0
    end: int | None = None

    @property
    def lossy_method(self) -> str | None:
        """Lossy Image Compression Method, or `None` where nothing was lost."""
        return _LOSSY.get(self.transfer_syntax or "")


def describe(head: bytes) -> Picture:
    """Read the headers of a JPEG, JPEG-LS or JPEG 2000 picture.

    Parameters
    ----------
    head
        Its first `HEAD_BYTES`, or all of it.

    Raises
    ------
    InvalidInstance
        If it is none of them, or its headers are broken.
    """
    try:
        if head.startswith(_JPEG_START):
            return _jpeg(head)
        if head.startswith(_J2K_START):
            return _jpeg2000(head, 0, None)
        if head.startswith(_JP2_START):
            return _jpeg2000(head, *_codestream_box(head))
    except (struct.error, IndexError) as exc:
        raise InvalidInstance("a picture's headers are cut off; send it again") from exc
    raise InvalidInstance("a picture is no JPEG, JPEG-LS or JPEG 2000, as its Content-Type says")


def _segments(head: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of the segments of a JPEG up to its first scan."""
    at = 2
    while True:
        while head[at] == 0xFF and head[at + 1] == 0xFF:  # fill bytes
            at += 1
        if head[at] != 0xFF:
            raise InvalidInstance("a JPEG picture's headers are broken; send it again")
        marker = head[at + 1]
        at += 2
        if marker in _ALONE:
            continue
        (length,) = struct.unpack_from(">H", head, at)
        if length < 2 or at + length > len(head):
            raise InvalidInstance("a JPEG picture's headers are cut off; send it again")
        yield marker, head[at + 2 : at + length]
        at += length
        if marker == _SCAN:
            return


def _jpeg(head: bytes) -> Picture:
    segments = {marker: content for marker, content in _segments(head) if _counts(marker, content)}
    frames = _FRAME_HEADERS & segments.keys()
    if len(frames) != 1:
        raise InvalidInstance("a JPEG picture has no frame header; send it again")
    marker = next(iter(frames))
    content, scan = segments[marker], segments[_SCAN]
    transform = segments[_ADOBE][11] if _ADOBE in segments else None
    jfif = _JFIF in segments
    bits, rows, columns, samples = struct.unpack_from(">BHHB", content)
    components = [(content[6 + 3 * i], content[7 + 3 * i] >> 4) for i in range(samples)]
    selection = scan[1 + 2 * scan[0]]  # selection of predictor, or NEAR
    syntax = {
        0xC0: JPEGBaseline8Bit,
        0xC1: JPEGExtended12Bit,
        0xC3: JPEGLosslessSV1 if selection == 1 else JPEGLossless,
        0xF7: JPEGLSNearLossless if selection else JPEGLSLossless,
    }.get(marker)
    if rows == 0 or columns == 0 or samples not in (1, 3):
        raise InvalidInstance("a JPEG picture must have a size, and one sample or three; convert it")
    lossless = marker in (0xC3, 0xF7)
    coded_as_rgb = transform == 0 or bytes(identifier for identifier, _ in components) == b"RGB"
    photometric = "MONOCHROME2"
    if samples == 3:
        plain = coded_as_rgb or (lossless and not jfif and transform is None)
        subsampled = not lossless and components[0][1] > 1
        photometric = "RGB" if plain else "YBR_FULL_422" if subsampled else "YBR_FULL"
    return Picture(rows, columns, samples, bits, False, photometric, syntax)


def _counts(marker: int, content: bytes) -> bool:
    """Whether a segment says something of the picture; others use the same markers."""
    return {
        _ADOBE: content.startswith(b"Adobe") and len(content) >= 12,
        _JFIF: content.startswith(b"JFIF"),
    }.get(marker, marker == _SCAN or marker in _FRAME_HEADERS)


def _codestream_box(head: bytes) -> tuple[int, int | None]:
    """Where the code stream of a JP2 file begins and ends."""
    at = 0
    while at + 8 <= len(head):
        length, kind = struct.unpack_from(">I4s", head, at)
        header = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, at + 8)
            header = 16
        if kind == b"jp2c":
            return at + header, at + length if length else None
        if length < header:
            break
        at += length
    raise InvalidInstance("a JP2 file holds no code stream; send it again")


def _jpeg2000(head: bytes, start: int, end: int | None) -> Picture:
    if head[start : start + 4] != _J2K_START:
        raise InvalidInstance("a JPEG 2000 code stream does not begin with its size; send it again")
    right, bottom, left, top = struct.unpack_from(">4I", head, start + 8)
    (samples,) = struct.unpack_from(">H", head, start + 40)
    precision = head[start + 42]
    (size,) = struct.unpack_from(">H", head, start + 4)
    at = start + 4 + size
    high_throughput = bool(struct.unpack_from(">H", head, start + 6)[0] & 0x4000)
    while True:
        marker, length = struct.unpack_from(">HH", head, at)
        if marker == 0xFF52:  # COD
            break
        if marker == 0xFF90 or marker < 0xFF00 or length < 2:  # a tile, or nonsense
            raise InvalidInstance("a JPEG 2000 code stream has no coding style; send it again")
        at += 2 + length
    multiple, reversible = head[at + 8], head[at + 13] == 1
    if samples not in (1, 3) or right <= left or bottom <= top:
        raise InvalidInstance("a JPEG 2000 picture must have a size, and one sample or three; convert it")
    photometric = "MONOCHROME2" if samples == 1 else "RGB"
    if samples == 3 and multiple:
        photometric = "YBR_RCT" if reversible else "YBR_ICT"
    if high_throughput:
        syntax = HTJ2KLossless if reversible else HTJ2K
    else:
        syntax = JPEG2000Lossless if reversible else JPEG2000
    return Picture(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        bits=(precision & 0x7F) + 1,
        signed=bool(precision & 0x80),
        photometric=photometric,
        transfer_syntax=syntax,
        offset=start,
        end=end,
    )
