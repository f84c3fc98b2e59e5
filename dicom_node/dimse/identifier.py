"""Identifiers of queries and retrievals as keys: tags, value representations, texts.

Values are taken from their bytes here: the library's own conversion refuses wild cards in numbers, and warns
about values with a text that quotes them.

References
----------
PS3.4 §C.2.2.1 (keys), PS3.5 §6.1.2 (character repertoires).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pynetdicom.dsutils import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

_CHARACTER_SET: Final = 0x00080005
_MAX_DEPTH: Final = 16
_MAX_KEYS: Final = 500
#: Bytes of a value that is read; the catalogue compares no longer ones.
_MAX_VALUE: Final = 1 << 16
#: Bytes of an identifier, inflated: room for a list of all UIDs that one retrieval may name.
_MAX_IDENTIFIER: Final = 1 << 22
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBERS: Final = {
    "US": "H",
    "SS": "h",
    "UL": "L",
    "SL": "l",
    "FL": "f",
    "FD": "d",
    "UV": "Q",
    "SV": "q",
}
_DELIMITERS: Final = {0x0D, 0x0A, 0x09, 0x0C}
_NAME_DELIMITERS: Final = {0x5E, 0x3D}


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of an identifier. Its text may be identity: never logged.

    Attributes
    ----------
    tag
        8 upper-case hexadecimal digits.
    text
        The value as it would be written in text, values separated by backslashes; empty for all.
    item
        Of a sequence, the keys of its item; `None` for other attributes.
    """

    tag: str
    vr: str
    text: str = ""
    item: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A data set that was read.

    Attributes
    ----------
    character_set
        Specific Character Set, as sent.
    """

    keys: tuple[Key, ...]
    character_set: tuple[str, ...] = ()

    def text(self, tag: str) -> str:
        """The value of a key without the spaces around it; empty where it is absent."""
        return next((key.text.strip() for key in self.keys if key.tag == tag), "")


class MalformedIdentifier(ValueError):
    """The identifier cannot be read; the message says why, without a value."""


def read_identifier(encoded: bytes, encoding: tuple[bool, bool, bool]) -> Identifier:
    """Read an encoded identifier.

    Parameters
    ----------
    encoding
        (implicit VR, little endian, deflated).

    Raises
    ------
    MalformedIdentifier
    """
    implicit, little_endian, deflated = encoding
    try:
        ds = decode(BytesIO(_plain(encoded, deflated=deflated)), implicit, little_endian)
        raw = ds.get_item(_CHARACTER_SET) if _CHARACTER_SET in ds else None
        character_set = _character_set(raw)
        keys = _keys(ds, _encodings(character_set), little_endian, 0)
    except MalformedIdentifier:
        raise
    except Exception as exc:  # the library raises anything for odd bytes, and quotes them
        raise MalformedIdentifier("the identifier is no data set of its transfer syntax") from exc
    return Identifier(keys, character_set)


def _plain(encoded: bytes, *, deflated: bool) -> bytes:
    """A data set as it is without deflation, which can hold gigabytes in a few kilobytes."""
    if deflated:
        encoded = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(encoded, _MAX_IDENTIFIER + 1)
    if len(encoded) > _MAX_IDENTIFIER:
        raise MalformedIdentifier(f"the identifier is longer than {_MAX_IDENTIFIER >> 20} MiB")
    return encoded


def _keys(ds: Dataset, encodings: Sequence[str], little_endian: bool, depth: int) -> tuple[Key, ...]:
    if depth > _MAX_DEPTH:
        raise MalformedIdentifier(f"sequences are nested deeper than {_MAX_DEPTH}")
    if len(ds) > _MAX_KEYS:
        raise MalformedIdentifier(f"more than {_MAX_KEYS} keys")
    found = []
    for tag in sorted(ds.keys()):
        if tag.group in (0x0000, 0x0002) or tag.element == 0:
            continue
        raw = ds.get_item(tag)
        name = f"{int(tag):08X}"
        vr = _vr(raw)
        if vr == "SQ":
            items = ds[tag].value
            if len(items) > 1:
                raise MalformedIdentifier(f"sequence {name} has more than one item")
            inner = _keys(items[0], encodings, little_endian, depth + 1) if items else ()
            found.append(Key(name, vr, item=inner))
            continue
        value = raw.value
        if not isinstance(value, bytes | None):  # elements of undefined length come converted
            value = None
        found.append(Key(name, vr, _text(vr, value or b"", encodings, little_endian)))
    return tuple(found)


def _vr(raw: Any) -> str:
    vr = raw.VR
    if not vr or vr == "UN":
        try:
            vr = dictionary_VR(raw.tag)
        except KeyError:
            tag = raw.tag
            return "LO" if tag.is_private_creator else (vr or "UN")
    return str(vr).partition(" ")[0]


def _text(vr: str, value: bytes, encodings: Sequence[str], little_endian: bool) -> str:
    if len(value) > _MAX_VALUE and vr != "UI":
        raise MalformedIdentifier("a key's value is too long")
    order = "<" if little_endian else ">"
    if vr in _NUMBERS or vr == "AT":
        # A peer that writes such a key as text asks for all.
        size = struct.calcsize(order + _NUMBERS.get(vr, "L"))
        whole = value[: len(value) // size * size]
        if vr == "AT":
            pairs = struct.iter_unpack(order + "HH", whole)
            return "\\".join(f"{group:04X}{element:04X}" for group, element in pairs)
        return "\\".join(repr(one) for (one,) in struct.iter_unpack(order + _NUMBERS[vr], whole))
    if vr in _BINARY and not value.isascii():
        return ""
    if vr not in _TEXT:
        return value.decode("latin-1").rstrip("\0 ")
    return decode_text(value, encodings, _NAME_DELIMITERS if vr == "PN" else set()).rstrip("\0 ")


def decode_text(value: bytes, encodings: Sequence[str], delimiters: set[int]) -> str:
    """A text in the character repertoires of its data set; what fits none is replaced."""
    if len(encodings) == 1:
        return value.decode(encodings[0], "replace")
    return str(decode_bytes(value, list(encodings), _DELIMITERS | delimiters))


def _character_set(raw: Any) -> tuple[str, ...]:
    value = raw.value if isinstance(raw, RawDataElement) else None
    text = value.decode("ascii", "replace").rstrip("\0 ") if isinstance(value, bytes) else ""
    return tuple(term.strip() for term in text.split("\\")) if text else ()


def _encodings(character_set: tuple[str, ...]) -> list[str]:
    known = [term for term in character_set if term in python_encoding]
    if not known:
        return [python_encoding[""]]
    if len(character_set) == 1:
        return [python_encoding[known[0]]]
    return convert_encodings(known)
