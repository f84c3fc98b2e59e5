"""Strings of a data set: decoding by Specific Character Set, and the DICOM JSON form.

References
----------
PS3.5 §6.1, §6.2 (character repertoires, padding); PS3.3 §C.12.1.1.2; PS3.18 Annex F (JSON).
"""

from __future__ import annotations

import base64
import struct
from typing import Any

from pydicom.charset import decode_bytes, python_encoding

from anonymizer.codec import Codec, Dataset, Element, Encapsulated

CHARACTER_SET = 0x00080005
#: VRs whose values the Specific Character Set applies to.
ENCODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
STRING_VRS = ENCODED_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
#: VRs that never hold more than one value: a backslash is text.
SINGLE_VRS = frozenset({"LT", "ST", "UR", "UT"})
_DELIMITERS = {"PN": {0x0A, 0x0C, 0x0D, 0x5C, 0x5E, 0x3D}}
_TEXT_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}


def encodings(dataset: Dataset, inherited: tuple[str, ...] = ("iso8859",)) -> tuple[str, ...]:
    """Python encodings of a data set's strings; unknown terms count as Latin-1, which loses no byte."""
    element = dataset.get(CHARACTER_SET)
    if element is None or not isinstance(element.value, bytes):
        return inherited
    terms = element.value.decode("ascii", "replace").split("\\")
    found = [python_encoding.get(term.strip(" \0"), "latin_1") for term in terms]
    if len(found) > 1 and not found[0]:
        found[0] = "iso8859"
    return tuple(found)


def decode(value: bytes, vr: str, codecs: tuple[str, ...]) -> str:
    """Text of a string value, undecodable bytes replaced; never raises."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    if vr not in ENCODED_VRS:
        return value.decode("latin-1")
    delimiters = _DELIMITERS.get(vr, _TEXT_DELIMITERS)
    if len(codecs) == 1 and b"\x1b" not in value:
        return value.decode(codecs[0], "replace")
    try:
        return decode_bytes(value, list(codecs), delimiters)
    except (UnicodeError, LookupError, UserWarning):
        return value.decode("latin-1")


def plain_text(dataset: Dataset, tag: int, codecs: tuple[str, ...]) -> str:
    """Decoded value of a string element, each value of it without padding; empty where absent."""
    element = dataset.get(tag)
    if element is None or not isinstance(element.value, bytes):
        return ""
    text = decode(element.value, element.vr, codecs).rstrip(" \0")
    return "\\".join(part.strip(" \0") for part in text.split("\\"))


def to_json(element: Element, codecs: tuple[str, ...], codec: Codec) -> dict[str, Any]:
    """DICOM JSON of an element; decimal and integer strings stay strings, so nothing is rounded."""
    vr, value = element
    if isinstance(value, list):
        items = []
        for item in value:
            inner = encodings(item, codecs)
            items.append({f"{tag:08X}": to_json(item[tag], inner, codec) for tag in sorted(item)})
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if isinstance(value, Encapsulated) or vr not in STRING_VRS:
        return _binary_json(vr, value.items if isinstance(value, Encapsulated) else value, codec)
    text = decode(bytes(value), vr, codecs).rstrip(" \0")
    if not text:
        return {"vr": vr}
    parts = [text] if vr in SINGLE_VRS else [part.strip(" \0") for part in text.split("\\")]
    if vr == "PN":
        return {"vr": vr, "Value": [_name_json(part) for part in parts]}
    return {"vr": vr, "Value": [part or None for part in parts]}


def _name_json(name: str) -> dict[str, str] | None:
    groups = dict(zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False))
    return {key: group for key, group in groups.items() if group} or None


def _binary_json(vr: str, value: bytes | memoryview, codec: Codec) -> dict[str, Any]:
    data = bytes(value)
    form = _NUMBERS.get(vr)
    order = ">" if codec.big_endian else "<"
    if form and data and len(data) % struct.calcsize(order + form) == 0:
        count = len(data) // struct.calcsize(order + form)
        return {"vr": vr, "Value": list(struct.unpack(f"{order}{count}{form}", data))}
    if not data:
        return {"vr": vr if " or " not in vr else "UN"}
    return {
        "vr": vr if " or " not in vr else "UN",
        "InlineBinary": base64.b64encode(data).decode(),
    }


def from_json(value: dict[str, Any], codec: Codec, encoding: str = "utf-8") -> Element:
    """The element that `to_json` described, its text in one encoding.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError, struct.error, UnicodeEncodeError
        If the description is malformed or the encoding lacks a character.
    """
    vr = value["vr"]
    values = value.get("Value", [])
    if vr == "SQ":
        return Element(
            "SQ",
            [{int(tag, 16): from_json(part, codec, encoding) for tag, part in i.items()} for i in values],
        )
    if "InlineBinary" in value:
        return Element(vr, base64.b64decode(value["InlineBinary"]))
    if vr in _NUMBERS:
        order = ">" if codec.big_endian else "<"
        return Element(vr, struct.pack(f"{order}{len(values)}{_NUMBERS[vr]}", *values))
    if vr == "PN":
        texts = [_name_text(part) for part in values]
    else:
        texts = ["" if part is None else str(part) for part in values]
    return Element(vr, "\\".join(texts).encode(encoding))


def _name_text(name: dict[str, str] | None) -> str:
    groups = name or {}
    return "=".join(groups.get(key, "") for key in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
