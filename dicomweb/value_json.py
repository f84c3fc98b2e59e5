"""One attribute's value as DICOM JSON, from the encoded bytes or from a converted element.

Nothing here raises for odd values: what cannot be read as its VR says becomes a string or `null`.

References
----------
PS3.18 §F.2.2 to F.2.5, PS3.5 §6.2 (VRs and padding), PS3.5 §6.1.2.5 (code extensions).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.charset import decode_bytes
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataelem import DataElement

BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBERS = {
    "FL": "f4",
    "FD": "f8",
    "SL": "i4",
    "SS": "i2",
    "SV": "i8",
    "UL": "u4",
    "US": "u2",
    "UV": "u8",
}
_SINGLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
#: VRs whose text Specific Character Set governs.
CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PN_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_ESC = 0x1B
_PADDING = " \0"
#: Python's names of sets in which an escape character is nothing special.
_WITHOUT_EXTENSIONS = frozenset({"UTF8", "utf-8", "GB18030", "GBK"})
#: What escape sequences can switch to (PS3.3 §C.12.1.1.2).
_EXTENSIONS = (
    *("iso8859", "shift_jis", "iso2022_jp", "iso2022_jp_2", "euc_kr", "iso_ir_58", "latin_1", "iso8859_2"),
    *("iso8859_3", "iso8859_4", "iso_ir_126", "iso_ir_127", "iso_ir_138", "iso_ir_144", "iso_ir_148"),
    "iso_ir_166",
)
#: Integers beyond it lose digits in a reader with double precision, so they go as strings.
_MAX_EXACT = 2**53
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def values_from_bytes(vr: str, data: bytes, encodings: Sequence[str], little_endian: bool) -> list[Any]:
    """The values of an element that is not binary and no sequence; empty values are `None`.

    Parameters
    ----------
    encodings
        Python names of the character sets in force, the first one the default.
    """
    if vr in _NUMBERS:
        order = "<" if little_endian else ">"
        dtype = np.dtype(order + _NUMBERS[vr])
        count = len(data) // dtype.itemsize
        return [number(v) for v in np.frombuffer(data, dtype, count).tolist()]
    if vr == "AT":
        pairs = np.frombuffer(data, "<u2" if little_endian else ">u2", len(data) // 4 * 2).reshape(-1, 2)
        return [f"{group:04X}{element:04X}" for group, element in pairs.tolist()]
    if vr == "PN":
        return _person_names(data, encodings)
    text = _decode(data, encodings if vr in CHARSET_VRS else ("iso8859",))
    if vr in _SINGLE_TEXT:
        return [text.rstrip(_PADDING) or None]
    return [text_value(vr, piece) for piece in text.split("\\")]


def values_from_element(element: DataElement) -> list[Any]:
    """The same from an element whose value pydicom has converted already."""
    value = element.value
    if value is None:
        return []
    values = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    return [_converted(element.VR, v) for v in values]


def _converted(vr: str, value: Any) -> Any:
    if value is None:
        return None
    if vr == "PN":
        name = value if isinstance(value, PersonName) else PersonName(str(value))
        return person_name([str(group) for group in name.components])
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in _NUMBERS and isinstance(value, int | float):
        return number(value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    text = getattr(value, "original_string", None) or str(value)
    if vr in _SINGLE_TEXT:
        return text.rstrip(_PADDING) or None
    return text_value(vr, text)


def number(value: int | float) -> float | str:
    """A JSON number, or a string where JSON has none (NaN, infinity, integers over 2**53)."""
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    return str(value) if abs(value) > _MAX_EXACT else value


def text_value(vr: str, text: str) -> Any:
    """One value of a textual VR: padding off, numbers of DS and IS as numbers, nothing as `None`."""
    text = text.rstrip(_PADDING) if vr == "UC" else text.strip(_PADDING)
    if not text:
        return None
    if vr not in {"DS", "IS"}:
        return text
    if _INTEGER.fullmatch(text):
        return number(int(text))
    if vr == "IS" or not _DECIMAL.fullmatch(text):
        return text
    value = float(text)
    return value if math.isfinite(value) else text


def person_name(groups: Sequence[str]) -> dict[str, str] | None:
    """The component groups of a name that are not empty, or `None`."""
    named = {
        key: stripped
        for key, group in zip(_PN_GROUPS, groups, strict=False)
        if (stripped := group.strip(_PADDING))
    }
    return named or None


def _person_names(data: bytes, encodings: Sequence[str]) -> list[Any]:
    if _ESC not in data:
        return [person_name(name.split("=")) for name in _decode(data, encodings).split("\\")]
    # Code extensions end at each delimiter, so every component group is decoded by itself.
    return [
        person_name([_decode(group, encodings) for group in name.split(b"=")]) for name in data.split(b"\\")
    ]


def _decode(data: bytes, encodings: Sequence[str]) -> str:
    if _ESC in data and encodings[0] not in _WITHOUT_EXTENSIONS:
        try:
            # All sets are passed: an escape sequence says what follows, declared or not.
            return decode_bytes(data, list(dict.fromkeys((*encodings, *_EXTENSIONS))), set(b"\r\n\t\f^="))
        except (UnicodeError, LookupError, ValueError, UserWarning):
            pass  # pydicom warns of or refuses what it cannot decode: the first set with replacement is next
    if data.isascii() and (_ESC not in data or encodings[0] in _WITHOUT_EXTENSIONS):
        return data.decode("ascii")
    for encoding in _likely(encodings[0]):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("utf-8", "replace")


def _likely(encoding: str) -> Sequence[str]:
    """What text may be written in, first what the data set says.

    Text beyond ASCII without a declared set has no meaning by the standard; mostly it is UTF-8 or Latin-1.
    """
    if encoding in {"iso8859", "utf-8", "UTF8"}:
        return ("utf-8", "latin-1")
    return (encoding,)
