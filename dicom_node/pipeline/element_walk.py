"""Walk over the elements of a data set by their lengths, without decoding values."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidInstance

if TYPE_CHECKING:
    from dicom_node.pipeline.element_sources import ElementSource

#: VRs with a 32-bit length behind two reserved bytes, and those with a 16-bit one (PS3.5 §7.1.2).
_LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_SHORT_VRS = frozenset(
    {
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH",
        b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
    }
)  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
#: Tag and 16-bit length as little endian has them, and a 32-bit length.
_EXPLICIT = struct.Struct("<L2sH")
_LENGTH = struct.Struct("<L")
#: Groups that are no elements of a data set: commands, File Meta, delimiters.
_SPECIAL_GROUPS = frozenset({0x0000, 0x0002, 0xFFFE})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
#: Deeper nesting than any real object has; without a bound a few kilobytes could nest thousands deep.
_MAX_DEPTH = 100
#: The longest value that a caller may ask for, bytes.
MAX_VALUE = 1024


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a data set is written (PS3.5 §10)."""

    implicit_vr: bool = False
    big_endian: bool = False


class _Kind(Enum):
    ELEMENTS = auto()
    ITEMS = auto()
    FRAGMENTS = auto()


@dataclass(frozen=True, slots=True)
class _Level:
    kind: _Kind
    implicit_vr: bool
    tag: struct.Struct
    long: struct.Struct
    short: struct.Struct


def _level(kind: _Kind, encoding: Encoding) -> _Level:
    order = ">" if encoding.big_endian else "<"
    return _Level(
        kind,
        encoding.implicit_vr,
        struct.Struct(order + "HH"),
        struct.Struct(order + "L"),
        struct.Struct(order + "H"),
    )


def walk(
    source: ElementSource,
    encoding: Encoding,
    wanted: frozenset[int],
    values: dict[int, bytes] | None = None,
) -> dict[int, bytes]:
    """Step through a whole data set and return the values of some top-level elements.

    Sequences and encapsulated pixel data of undefined length are walked through to their delimiters at
    any depth; what has a defined length is stepped over.

    Parameters
    ----------
    wanted
        Tags as `group << 16 | element`.
    values
        What is found is put here too, so that it is known even where the data set breaks off.

    Returns
    -------
    dict
        Raw values by tag, only of those that are there; a value longer than `MAX_VALUE` is left out.

    Raises
    ------
    TruncatedDataset
        If a length points past the end, or a delimiter is missing.
    InvalidInstance
        If the bytes are no elements of this encoding.

    References
    ----------
    PS3.5 §7.1, §7.5, §A.4.
    """
    values = {} if values is None else values
    stack = [_level(_Kind.ELEMENTS, encoding)]
    stops = frozenset((tag & 0xFFFF) << 16 | tag >> 16 for tag in wanted)
    while True:
        level = stack[-1]
        if level.kind is _Kind.ELEMENTS and not encoding.big_endian:
            window, start = source.window()
            source.skip(_plain_run(window, start, level.implicit_vr, stops) - start)
        if len(stack) == 1 and source.at_end():
            return values
        group, element = level.tag.unpack(source.take(4))
        tag = group << 16 | element
        if level.kind is not _Kind.ELEMENTS:
            _step_item(source, stack, tag)
        elif group == 0xFFFE:
            if tag != _ITEM_END or len(stack) == 1:
                raise _unexpected(tag)
            source.take(4)
            stack.pop()
        else:
            _step_element(source, stack, tag, wanted, values)


def _plain_run(window: bytes, start: int, implicit_vr: bool, stops: frozenset[int]) -> int:
    """Where in the window the first element begins that is anything but stepped over.

    Most elements have a length, lie in the window with their value, and nobody asks for them. What is left
    to `walk` is everything else: what is wanted, nested, long, or wrong.

    Parameters
    ----------
    stops
        Wanted tags as the number that their four bytes make, little endian.
    """
    end = len(window)
    position = start
    while position + 8 <= end:
        tag, vr, length = _EXPLICIT.unpack_from(window, position)
        if tag & 0xFFFF in _SPECIAL_GROUPS or tag in stops:
            break
        following = position + 8
        if implicit_vr:
            (length,) = _LENGTH.unpack_from(window, position + 4)
        elif vr in _LONG_VRS:
            if following + 4 > end:
                break
            (length,) = _LENGTH.unpack_from(window, following)
            following += 4
        elif vr not in _SHORT_VRS:
            break
        following += length
        if following > end:  # an undefined length, too
            break
        position = following
    return position


def _step_item(source: ElementSource, stack: list[_Level], tag: int) -> None:
    level = stack[-1]
    (length,) = level.long.unpack(source.take(4))
    if tag == _SEQUENCE_END:
        stack.pop()
    elif tag != _ITEM:
        raise _unexpected(tag)
    elif length != _UNDEFINED:
        source.skip(length)
    elif level.kind is _Kind.FRAGMENTS:
        raise InvalidInstance("a pixel data fragment has no length; send it again from its source")
    else:
        _push(stack, _Kind.ELEMENTS, level)


def _step_element(
    source: ElementSource, stack: list[_Level], tag: int, wanted: frozenset[int], values: dict[int, bytes]
) -> None:
    level = stack[-1]
    group = tag >> 16
    if group in (0x0000, 0x0002):
        raise InvalidInstance(f"group {group:04X} stands in a data set; send it again from its source")
    vr, length = _vr_and_length(source, level)
    if length == _UNDEFINED:
        _enter(stack, level, vr)
    elif len(stack) == 1 and tag in wanted:
        if tag in values:
            raise InvalidInstance(f"element {_name(tag)} stands twice; send it again from its source")
        if length <= MAX_VALUE:
            values[tag] = source.take(length)
        else:
            source.skip(length)
    else:
        source.skip(length)


def _vr_and_length(source: ElementSource, level: _Level) -> tuple[bytes, int]:
    field = source.take(4)
    if level.implicit_vr:
        (length,) = level.long.unpack(field)
        return b"", length
    vr = field[:2]
    if vr in _SHORT_VRS:
        (length,) = level.short.unpack(field[2:])
    elif vr in _LONG_VRS:
        (length,) = level.long.unpack(source.take(4))
    else:
        raise InvalidInstance(
            "the data set is not encoded as its transfer syntax says; check the sender's transfer syntax"
        )
    return vr, length


def _enter(stack: list[_Level], level: _Level, vr: bytes) -> None:
    if vr in (b"OB", b"OW"):
        _push(stack, _Kind.FRAGMENTS, level)
    elif vr in (b"SQ", b""):
        _push(stack, _Kind.ITEMS, level)
    elif vr == b"UN":
        # PS3.5 §6.2.2: the items of such an element are in Implicit VR Little Endian.
        _push(stack, _Kind.ITEMS, _level(_Kind.ITEMS, Encoding(implicit_vr=True)))
    else:
        raise InvalidInstance("an element that must have a length has none; send it again from its source")


def _push(stack: list[_Level], kind: _Kind, like: _Level) -> None:
    if len(stack) > _MAX_DEPTH:
        raise InvalidInstance(f"sequences nest deeper than {_MAX_DEPTH}; send it again from its source")
    stack.append(_Level(kind, like.implicit_vr, like.tag, like.long, like.short))


def read_file_meta(source: ElementSource, wanted: frozenset[int]) -> tuple[dict[int, bytes], int]:
    """Read File Meta Information up to the first element of the data set.

    Returns
    -------
    dict, int
        Values of the wanted elements by tag, and the bytes that the File Meta has. The source stands
        4 bytes (one tag) into the data set where there is one.

    Raises
    ------
    TruncatedDataset, InvalidInstance

    References
    ----------
    PS3.10 §7.1.
    """
    level = _level(_Kind.ELEMENTS, Encoding())
    values: dict[int, bytes] = {}
    size = 0
    while not source.at_end():
        group, element = level.tag.unpack(source.take(4))
        if group != 0x0002:
            break
        vr, length = _vr_and_length(source, level)
        if length == _UNDEFINED:
            raise InvalidInstance("File Meta Information is malformed; send it again from its source")
        tag = group << 16 | element
        if tag in wanted and length <= MAX_VALUE:
            values[tag] = source.take(length)
        else:
            source.skip(length)
        size += 4 + (8 if vr in _LONG_VRS else 4) + length
    return values, size


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _unexpected(tag: int) -> InvalidInstance:
    # A garbled tag may be four bytes of a value: it is named only where it is a delimiter.
    what = f"delimiter {_name(tag)}" if tag >> 16 == 0xFFFE else "data"
    return InvalidInstance(f"{what} stands where an item or element must; send it again from its source")
