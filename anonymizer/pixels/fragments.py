"""Encapsulated pixel data as frames, and back, offset tables included.

References
----------
PS3.5 §A.4 (fragments, Basic Offset Table); PS3.3 §C.7.6.3.1.8 (Extended Offset Table).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from anonymizer.codec import PIXEL_DATA, Element, Encapsulated
from anonymizer.errors import CannotVouch

if TYPE_CHECKING:
    from anonymizer.codec import Dataset

EXTENDED_OFFSETS, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_HEADER: Final = struct.Struct("<HHL")
_STARTS: Final = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")


class Frames:
    """The frames of encapsulated pixel data, each as its fragments.

    Parameters
    ----------
    items
        Items without the closing delimiter, the Basic Offset Table first.
    count
        Number of Frames.
    extended_offsets
        Value of the Extended Offset Table, if there is one.

    Raises
    ------
    CannotVouch
        `pixels-not-decoded` if nobody can tell where a frame begins.
    """

    def __init__(self, items: memoryview, count: int, extended_offsets: bytes | None = None) -> None:
        fragments = []
        position = 0
        while position + 8 <= len(items):
            *_, length = _HEADER.unpack_from(items, position)
            fragments.append((position, items[position + 8 : position + 8 + length]))
            position += 8 + length
        if not fragments:
            raise _unclear()
        table, body = bytes(fragments[0][1]), fragments[1:]
        #: Whether the Basic Offset Table holds offsets.
        self.has_table = len(table) >= 4
        self._start = 8 + len(table)
        if count == 1:
            groups = [[data for _, data in body]]
        elif len(body) == count:
            groups = [[data] for _, data in body]
        elif self.has_table or extended_offsets:
            size, code = (4, "L") if self.has_table else (8, "Q")
            raw = table if self.has_table else extended_offsets or b""
            offsets = struct.unpack(f"<{len(raw) // size}{code}", raw[: len(raw) // size * size])
            groups = self._grouped(body, set(offsets))
        else:
            starts = {pos - self._start for pos, data in body if bytes(data[:8]).startswith(_STARTS)}
            groups = self._grouped(body, starts)
        if len(groups) != count or not all(groups):
            raise _unclear()
        self.groups = groups

    def _grouped(self, body: list[tuple[int, memoryview]], starts: set[int]) -> list[list[memoryview]]:
        groups: list[list[memoryview]] = []
        for position, data in body:
            if position - self._start in starts or not groups:
                groups.append([])
            groups[-1].append(data)
        return groups

    def frame(self, index: int) -> bytes:
        """The compressed stream of a frame."""
        return b"".join(self.groups[index])

    def write(self, dataset: Dataset, streams: list[bytes]) -> None:
        """Put streams in the place of the frames, one fragment each; offset tables follow."""
        padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
        offsets, position = [], 0
        for stream in padded:
            offsets.append(position)
            position += 8 + len(stream)
        table = b""
        if self.has_table and position < 1 << 32:
            table = struct.pack(f"<{len(offsets)}L", *offsets)
        chunks = [_HEADER.pack(0xFFFE, 0xE000, len(table)), table]
        for stream in padded:
            chunks += [_HEADER.pack(0xFFFE, 0xE000, len(stream)), stream]
        dataset[PIXEL_DATA] = Element("OB", Encapsulated(memoryview(b"".join(chunks))))
        if EXTENDED_OFFSETS in dataset:
            lengths = map(len, streams)
            dataset[EXTENDED_OFFSETS] = Element("OV", struct.pack(f"<{len(offsets)}Q", *offsets))
            dataset[EXTENDED_LENGTHS] = Element("OV", struct.pack(f"<{len(offsets)}Q", *lengths))


def _unclear() -> CannotVouch:
    return CannotVouch(
        "pixels-not-decoded", "the fragments do not say where frames begin; repair the object", "PixelData"
    )
