"""The elements of a result by their bytes: what a template shares needs no decoding again and again.

References
----------
PS3.10 §7.1 (preamble, File Meta), PS3.5 §7.1.2 (explicit VR), §7.5 (sequences and items).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: VRs with 32 bits of length; all others have 16.
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_HEADER = struct.Struct("<HH2sH").unpack_from
_LENGTH = struct.Struct("<L").unpack_from
_ITEM_HEADER = struct.Struct("<LL").unpack_from
#: Group and element FFFE,E000 as four bytes in little endian make it.
_ITEM = 0xE000FFFE
_START = 132


@dataclass(frozen=True, slots=True)
class EncodedElements:
    """A Part 10 file in Explicit VR Little Endian, and where its elements lie.

    Attributes
    ----------
    spans
        Tag to where the element begins, where its value begins, and where both end; ascending by tag, File
        Meta first.
    """

    part10: bytes
    spans: Mapping[int, tuple[int, int, int]]

    def only(self, tags: Collection[int]) -> bytes:
        """Some elements, encoded, as far as they are there."""
        return b"".join(self.part10[start:end] for tag, (start, _, end) in self.spans.items() if tag in tags)

    def without(self, tags: Collection[int]) -> bytes:
        """All other elements, encoded."""
        pieces, begin, last = [], _START, _START
        for tag, (start, _, end) in self.spans.items():
            if tag in tags:
                pieces.append(self.part10[begin:start])
                begin = end
            last = end
        return b"".join((*pieces, self.part10[begin:last]))

    def value(self, tag: int) -> bytes:
        """The encoded value of an element that is there."""
        _, start, end = self.spans[tag]
        return self.part10[start:end]

    def length(self, tag: int) -> int:
        """Bytes of the value of an element that is there."""
        _, start, end = self.spans[tag]
        return end - start

    def uids(self) -> frozenset[str] | None:
        """All values of VR UI at any nesting, but for those of File Meta.

        `None` where a nested element is not plain, or has no length.
        """
        after_meta = next((start for tag, (start, _, _) in self.spans.items() if tag >> 16 > 0x0002), 0)
        try:
            return frozenset(_uids(self.part10, after_meta, len(self.part10))) if after_meta else frozenset()
        except (struct.error, UnicodeDecodeError, _Odd, RecursionError):
            return None


def encoded_elements(part10: bytes) -> EncodedElements | None:
    """Find the elements of a file; `None` where it is not plain Explicit VR Little Endian.

    Plain: the elements ascend by tag, and each of them tells its length.
    """
    if part10[128:_START] != b"DICM":
        return None
    spans: dict[int, tuple[int, int, int]] = {}
    at, end, last = _START, len(part10), 0
    try:
        while at < end:
            tag, _, value, following = _element(part10, at, end)
            if tag <= last:
                return None
            last = tag
            spans[tag] = (at, value, following)
            at = following
    except (struct.error, _Odd):
        return None
    return EncodedElements(part10, spans)


class _Odd(Exception):
    """Not plain."""


def _element(data: bytes, at: int, end: int) -> tuple[int, bytes, int, int]:
    """Tag, VR, where the value begins and where the element ends."""
    group, element, vr, length = _HEADER(data, at)
    value = at + 8
    if vr in _LONG:
        (length,) = _LENGTH(data, value)
        value += 4
    elif not vr.isalpha():
        raise _Odd
    # An undefined length points past the end too.
    if value + length > end:
        raise _Odd
    return group << 16 | element, vr, value, value + length


def _uids(data: bytes, at: int, end: int) -> Iterator[str]:
    while at < end:
        _, vr, value, following = _element(data, at, end)
        if vr == b"UI":
            text = data[value:following].decode("ascii")
            yield from filter(None, (uid.strip("\0 ") for uid in text.split("\\")))
        elif vr == b"SQ":
            while value < following:
                tag, length = _ITEM_HEADER(data, value)
                value += 8
                if tag != _ITEM or value + length > following:
                    raise _Odd
                yield from _uids(data, value, value + length)
                value += length
        at = following
