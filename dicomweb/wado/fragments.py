"""Which bytes of encapsulated pixel data belong to which frame.

The fragments themselves are walked, each time. The offset table is only asked where their number leaves
it open, and only believed where each offset is that of a fragment: many writers leave it empty or wrong.

References
----------
PS3.5 §A.4 (encapsulation, Basic Offset Table).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dicom_node.domain.errors import NotFound
from dicomweb.byte_source import FileSource, MemorySource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from dicomweb.byte_source import ByteSource

_ITEM: Final = struct.Struct("<HHI")
_START: Final = (0xFFFE, 0xE000)
#: How codestreams begin: JPEG and JPEG-LS, JPEG 2000, JPEG XL.
_MAGIC: Final = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\x0a")
_PROBE: Final = 4
_MAX_TABLE: Final = 64 * 1024 * 1024

#: (offset in the source, bytes)
Fragment = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """The fragments of each frame that is there, and where the element ends in the source."""

    frames: tuple[tuple[Fragment, ...], ...]
    end: int


def find_frames(source: ByteSource, start: int, count: int) -> Encapsulated:
    """Walk encapsulated pixel data.

    Parameters
    ----------
    start
        Offset of the value: of the Basic Offset Table's item.
    count
        Number of Frames.

    Raises
    ------
    NotFound
        If it cannot be told which fragments make a frame.
    StorageFailure
    """
    with _file(source) as file:
        table, fragments, end = _walk(file, start, source.size)
        if not fragments:
            raise NotFound("the encapsulated pixel data is broken; no frame can be cut out")
        return Encapsulated(_group(file, table, fragments, count), end)


def _file(source: ByteSource) -> BinaryIO:
    if isinstance(source, FileSource):
        return source.open()
    return BytesIO(source.data if isinstance(source, MemorySource) else source.read(0, source.size))


def _walk(file: BinaryIO, start: int, size: int) -> tuple[Sequence[int], list[Fragment], int]:
    """The offset table, the fragments, and the offset behind them."""
    table: Sequence[int] = ()
    fragments: list[Fragment] = []
    at, first = start, True
    while at + _ITEM.size <= size:
        file.seek(at)
        group, element, length = _ITEM.unpack(file.read(_ITEM.size))
        at += _ITEM.size
        if (group, element) != _START:
            break  # the sequence delimiter, or nonsense: what was read so far stands
        if at + length > size:
            at = size
            break
        if first:
            first = False
            if length <= _MAX_TABLE:
                table = struct.unpack(f"<{length // 4}I", file.read(length // 4 * 4))
        else:
            fragments.append((at, length))
        at += length
    return table, fragments, at


def _group(
    file: BinaryIO, table: Sequence[int], fragments: list[Fragment], count: int
) -> tuple[tuple[Fragment, ...], ...]:
    if count == 1:
        return (tuple(fragments),)
    if len(fragments) <= count:
        return tuple((fragment,) for fragment in fragments)
    origin = fragments[0][0]
    places = {offset - origin: index for index, (offset, _) in enumerate(fragments)}
    begins = [places.get(offset, -1) for offset in table]
    if len(begins) != count or begins[0] != 0 or any(b <= a for a, b in pairwise(begins)):
        begins = [index for index, fragment in enumerate(fragments) if _begins_frame(file, fragment)]
        if len(begins) != count or begins[0] != 0:
            raise NotFound("the encapsulated pixel data does not tell which fragments make a frame")
    ends = [*begins[1:], len(fragments)]
    return tuple(tuple(fragments[a:b]) for a, b in zip(begins, ends, strict=True))


def _begins_frame(file: BinaryIO, fragment: Fragment) -> bool:
    file.seek(fragment[0])
    return file.read(min(_PROBE, fragment[1])).startswith(_MAGIC)
