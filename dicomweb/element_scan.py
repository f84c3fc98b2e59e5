"""Where the pixel data of a file lies, without reading its data set.

Only Explicit VR Little Endian is understood, which is what nearly all stored instances have; for anything
else, and anything odd, the answer is `None` and somebody else must read the file.

References
----------
PS3.10 §7.1 (preamble, File Meta), PS3.5 §7.1.2 (explicit VR), §7.5 (sequences and items).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pydicom.uid import UID

#: (7FE0,0008) Float, (7FE0,0009) Double Float, (7FE0,0010) Pixel Data.
PIXEL_KEYWORDS: Final = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}
UNDEFINED: Final = 0xFFFFFFFF
#: VRs with four bytes of length.
_LONG: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT: Final = frozenset(
    {
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN"),
        *(b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    }
)
_HEADER: Final = struct.Struct("<HH2sH").unpack_from
_ITEM: Final = struct.Struct("<HHI").unpack_from
_UL: Final = struct.Struct("<I").unpack_from
_US: Final = struct.Struct("<H").unpack_from
_START_OF_META: Final = 132
_IMAGE_GROUP: Final = 0x0028
_NOT_SCANNED: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where a pixel data element lies in a file.

    Attributes
    ----------
    tag_at, start
        Offsets of the element and of its value.
    length
        Bytes of the value; `None` where it is undefined, for encapsulated data.
    """

    keyword: str
    vr: str
    tag_at: int
    start: int
    length: int | None


@dataclass(frozen=True, slots=True)
class Scan:
    """What was met on the way: the values of group 0028, which describe the pixels, and where they lie."""

    transfer_syntax_uid: str
    image: dict[int, bytes]
    pixels: PixelElement | None


class _Odd(Exception):
    """Not what this module understands."""


def scan(data: bytes) -> Scan | None:
    """Scan a Part 10 file, or its beginning; `None` where it must be read in another way."""
    try:
        return _scan(data)
    except (_Odd, struct.error, UnicodeDecodeError, RecursionError):
        return None


def _scan(data: bytes) -> Scan:
    syntax, at = _file_meta(data)
    uid = UID(syntax)
    if syntax in _NOT_SCANNED or uid.is_private or not uid.is_transfer_syntax:
        raise _Odd
    image: dict[int, bytes] = {}
    end = len(data)
    while at < end:
        group, element, vr, start, length = _element(data, at)
        tag = group << 16 | element
        if tag in PIXEL_KEYWORDS:
            known = None if length == UNDEFINED else length
            return Scan(syntax, image, PixelElement(PIXEL_KEYWORDS[tag], vr.decode(), at, start, known))
        if length == UNDEFINED:
            if vr != b"SQ":
                raise _Odd
            at = _skip_sequence(data, start, 0)
            continue
        if group == _IMAGE_GROUP:
            image[tag] = data[start : start + length]
        at = start + length
    if at != end:
        raise _Odd
    return Scan(syntax, image, None)


def _element(data: bytes, at: int) -> tuple[int, int, bytes, int, int]:
    """Group, element, VR, the offset of the value, and its length (PS3.5 §7.1.2)."""
    group, element, vr, length = _HEADER(data, at)
    if vr in _LONG:
        (length,) = _UL(data, at + 8)
        return group, element, vr, at + 12, length
    if vr not in _SHORT:
        raise _Odd
    return group, element, vr, at + 8, length


def _file_meta(data: bytes) -> tuple[str, int]:
    """The transfer syntax and the offset of the data set."""
    if data[128:132] != b"DICM":
        raise _Odd
    group, element, vr, length = _HEADER(data, _START_OF_META)
    if (group, element, vr, length) != (0x0002, 0x0000, b"UL", 4):
        raise _Odd
    at = _START_OF_META + 12
    end = at + _UL(data, _START_OF_META + 8)[0]
    syntax = ""
    while at < end:
        group, element, vr, start, length = _element(data, at)
        if group != 0x0002:
            raise _Odd
        if element == 0x0010:
            syntax = data[start : start + length].decode("ascii").rstrip("\0 ")
        at = start + length
    if at != end:
        raise _Odd
    return syntax, end


def _skip_sequence(data: bytes, at: int, depth: int) -> int:
    """The offset behind a sequence of undefined length."""
    if depth > _MAX_DEPTH:
        raise _Odd
    while True:
        group, element, length = _ITEM(data, at)
        at += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            return at
        if (group, element) != (0xFFFE, 0xE000):
            raise _Odd
        at = _skip_item(data, at, depth) if length == UNDEFINED else at + length


def _skip_item(data: bytes, at: int, depth: int) -> int:
    while True:
        group, element, _, _ = _HEADER(data, at)
        if (group, element) == (0xFFFE, 0xE00D):
            return at + 8
        _, _, vr, start, length = _element(data, at)
        if length != UNDEFINED:
            at = start + length
        elif vr == b"SQ":
            at = _skip_sequence(data, start, depth + 1)
        else:
            raise _Odd
