"""The elements of a result by their bytes: what a template shares needs no decoding again and again.

References
----------
PS3.10 §7.1 (preamble, File Meta), PS3.5 §7.1.2 (explicit VR).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: VRs with 32 bits of length; all others have 16.
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_HEADER = struct.Struct("<HH2sH").unpack_from
_LENGTH = struct.Struct("<L").unpack_from
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
            group, element, vr, length = _HEADER(part10, at)
            value = at + 8
            if vr in _LONG:
                (length,) = _LENGTH(part10, value)
                value += 4
            elif not vr.isalpha():
                return None
            tag = group << 16 | element
            # An undefined length points past the end too.
            if tag <= last or value + length > end:
                return None
            last = tag
            spans[tag] = (at, value, value + length)
            at = value + length
    except struct.error:
        return None
    return EncodedElements(part10, spans)
