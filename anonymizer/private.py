"""Private attributes that may stay: those of the safe list, with a creator, a VR and a value that fit.

References
----------
PS3.15 §E.3.10, Table E.3.10-1; PS3.5 §7.8 (private data elements). Block Identifying Information Status
(0008,0303) is a hint of the sender, never proof, and does not count here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from anonymizer.codec import Element
from anonymizer.values import NUMBER_VRS, is_number

if TYPE_CHECKING:
    from anonymizer.codec import Codec, Dataset

#: Runs of letters in binary values: nobody knows what they say.
_LETTERS: Final = re.compile(rb"[A-Za-z][A-Za-z^ ,.'-]{4,}")
_CODE: Final = re.compile(rb"[A-Z0-9_ \\]{0,80}\0?")
_TEXT_VRS: Final = frozenset({"CS", "LO", "LT", "SH", "UI", "ST"})


class PrivateTag(NamedTuple):
    """A private element's place: creator, group and element within the block."""

    creator: str
    group: int
    element: int


def private_tags(dataset: Dataset) -> dict[int, PrivateTag]:
    """The private elements of a data set whose block has a creator, by tag."""
    creators: dict[int, str] = {}
    for tag, (_, value) in dataset.items():
        if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF and isinstance(value, bytes):
            name = value.decode("ascii", "replace").strip(" \0")
            if name:
                creators[tag & 0xFFFF0000 | (tag & 0xFF) << 8] = name
    found = {}
    for tag in dataset:
        if tag & 0x10000 and tag & 0xFFFF > 0xFF:
            creator = creators.get(tag & 0xFFFFFF00)
            if creator is not None:
                found[tag] = PrivateTag(creator, tag >> 16, tag & 0xFF)
    return found


def creator_tag(tag: int) -> int:
    """The tag of the private creator of a private element."""
    return tag & 0xFFFF0000 | (tag >> 8 & 0xFF)


def fitting(element: Element, vr: str, codec: Codec) -> Element | None:
    """The element with the VR of the safe list; `None` where its value cannot be such a one.

    Parameters
    ----------
    vr
        What the list says. Implicit VR hides it: then bytes that have the form are taken for it.
    """
    value = element.value
    if vr == "SQ":
        return element if isinstance(value, list) else None
    if not isinstance(value, bytes | memoryview):
        return None
    if element.vr not in {vr, "UN"} or (element.vr == "UN" and codec.big_endian and vr not in _TEXT_VRS):
        return None
    data = bytes(value)
    if vr in NUMBER_VRS:
        return Element(vr, data) if is_number(data, vr) else None
    if vr == "CS":
        return Element(vr, data) if _CODE.fullmatch(data) else None
    if vr in _TEXT_VRS:
        return Element(vr, data)
    return Element(vr, value) if _LETTERS.search(data) is None else None
