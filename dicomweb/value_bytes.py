"""Values of the DICOM JSON Model as the bytes that Explicit VR Little Endian holds, in UTF-8.

References
----------
PS3.18 §F.2.3 to F.2.7, PS3.5 §6.2 (VRs, padding).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import Any, Final

from pydicom.valuerep import format_number_as_ds

from dicom_node.domain.errors import InvalidInstance
from dicomweb.value_json import BINARY_VRS, CHARSET_VRS

#: VR to struct code and the range of an integer, or `None` for floating point.
_NUMBERS: Final[dict[str, tuple[str, tuple[int, int] | None]]] = {
    "FL": ("f", None),
    "FD": ("d", None),
    "SS": ("h", (-(2**15), 2**15 - 1)),
    "US": ("H", (0, 2**16 - 1)),
    "SL": ("i", (-(2**31), 2**31 - 1)),
    "UL": ("I", (0, 2**32 - 1)),
    "SV": ("q", (-(2**63), 2**63 - 1)),
    "UV": ("Q", (0, 2**64 - 1)),
}
_SINGLE: Final = frozenset({"LT", "ST", "UR", "UT"})
_TEXT: Final = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "SH", "TM", "UC", "UI"}) | _SINGLE
VRS: Final = BINARY_VRS | _TEXT | frozenset(_NUMBERS) | {"AT", "DS", "IS", "PN", "SQ"}
_PN_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
#: Numbers that JSON cannot write; "inf" is what older releases of other libraries write.
_NOT_FINITE: Final = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "+Infinity": math.inf,
    "-Infinity": -math.inf,
    "INF": math.inf,
    "-INF": -math.inf,
    "inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
}
_DS_LENGTH: Final = 16


def value_bytes(vr: str, values: list[Any], path: str) -> bytes:
    """The bytes of a "Value" array, padded to even length; VR SQ is not for here.

    Raises
    ------
    InvalidInstance
        If a value does not fit its VR; the message names the attribute by `path`, never the value.
    """
    if all(value is None for value in values) and len(values) <= 1:
        return b""
    if vr in BINARY_VRS:
        raise InvalidInstance(f'{path}: {vr} has "InlineBinary" or "BulkDataURI", no "Value" (PS3.18 §F.2.2)')
    if vr in _NUMBERS:
        return b"".join(_number(vr, value, path) for value in values)
    if vr == "AT":
        return b"".join(_attribute_tag(value, path) for value in values)
    if vr in _SINGLE and len(values) > 1:
        raise InvalidInstance(f"{path}: {vr} has one value only (PS3.5 §6.2)")
    write = {"PN": _person_name, "DS": _decimal, "IS": _integer}.get(vr, _text)
    return _padded(vr, "\\".join("" if value is None else write(value, path) for value in values), path)


def inline_bytes(vr: str, text: Any, path: str) -> bytes:
    """The bytes of an "InlineBinary".

    Raises
    ------
    InvalidInstance
    """
    if vr not in BINARY_VRS:
        raise InvalidInstance(f'{path}: {vr} has no "InlineBinary" (PS3.18 §F.2.2)')
    if not isinstance(text, str):
        raise InvalidInstance(f'{path}: "InlineBinary" must be a string in base64')
    try:
        data = base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise InvalidInstance(f'{path}: "InlineBinary" is no base64 (PS3.18 §F.2.7)') from exc
    return data + b"\0" * (len(data) % 2)


def bulk_bytes(vr: str, data: bytes) -> bytes:
    """The bytes of bulk data, padded as its VR asks."""
    if len(data) % 2 == 0:
        return data
    return data + (b" " if vr not in BINARY_VRS and vr not in _NUMBERS and vr != "UI" else b"\0")


def _number(vr: str, value: Any, path: str) -> bytes:
    code, bounds = _NUMBERS[vr]
    if bounds is None:
        return _floating(code, value, path)
    if isinstance(value, str) and vr in {"SV", "UV"} and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInstance(f"{path}: {vr} needs integers")
    if not bounds[0] <= value <= bounds[1]:
        raise InvalidInstance(f"{path}: {vr} holds integers from {bounds[0]} to {bounds[1]}")
    return struct.pack(f"<{code}", value)


def _floating(code: str, value: Any, path: str) -> bytes:
    if value is None:  # dcm4che writes what is no number so
        value = math.nan
    if isinstance(value, str):
        value = _NOT_FINITE.get(value.strip())
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidInstance(f'{path}: FL and FD need numbers, or "NaN", "Infinity", "-Infinity"')
    try:
        return struct.pack(f"<{code}", value)
    except OverflowError as exc:
        raise InvalidInstance(f"{path}: a number is beyond the range of its VR") from exc


def _attribute_tag(value: Any, path: str) -> bytes:
    try:
        tag = int(value, 16) if isinstance(value, str) and len(value) == 8 and value.isalnum() else -1
    except ValueError:
        tag = -1
    if tag < 0:
        raise InvalidInstance(f"{path}: AT needs tags of 8 hexadecimal digits (PS3.18 §F.2.3)")
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


def _person_name(value: Any, path: str) -> str:
    if not isinstance(value, dict):
        raise InvalidInstance(f"{path}: PN needs objects with {', '.join(_PN_GROUPS)} (PS3.18 §F.2.2)")
    if not set(value) <= set(_PN_GROUPS):
        raise InvalidInstance(f"{path}: a person name has other members than {', '.join(_PN_GROUPS)}")
    groups = [_text(value.get(group) or "", path) for group in _PN_GROUPS]
    if any("=" in group or "\\" in group for group in groups):
        raise InvalidInstance(f"{path}: a component group holds a delimiter (PS3.5 §6.2.1)")
    return "=".join(groups).rstrip("=")


def _decimal(value: Any, path: str) -> str:
    if isinstance(value, str):
        if value.strip() and not _DECIMAL.fullmatch(value.strip()):
            raise InvalidInstance(f"{path}: DS needs decimal numbers")
        return value
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidInstance(f"{path}: DS needs numbers, or strings that hold them")
    try:
        text = repr(value)
        return text if len(text) <= _DS_LENGTH and math.isfinite(value) else format_number_as_ds(float(value))
    except (OverflowError, ValueError) as exc:
        raise InvalidInstance(f"{path}: a number is beyond the range of DS") from exc


def _integer(value: Any, path: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        if value.strip() and not _INTEGER.fullmatch(value.strip()):
            raise InvalidInstance(f"{path}: IS needs integers")
        return value
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
        raise InvalidInstance(f"{path}: IS needs integers from -2147483648 to 2147483647")
    return str(value)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidInstance(f"{path}: the value must be a string")
    return value


def _padded(vr: str, text: str, path: str) -> bytes:
    if vr not in CHARSET_VRS and not text.isascii():
        raise InvalidInstance(f"{path}: {vr} holds ASCII characters only (PS3.5 §6.2)")
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidInstance(f"{path}: the text holds half of a surrogate pair") from exc
    return data + (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
