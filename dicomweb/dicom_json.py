"""A data set as a DICOM JSON Model object.

Elements are encoded from their bytes as they were read, without pydicom's value objects: that is several
times faster and cannot fail on values that break their VR's rules.

References
----------
PS3.18 Annex F; PS3.5 §6.2.2 (UN), PS3.5 Annex A (ambiguous VRs in implicit encoding).
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag, Tag
from pydicom.values import convert_SQ

from dicomweb.byte_order import little_endian
from dicomweb.value_json import BINARY_VRS, values_from_bytes, values_from_element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

#: (7FE0,0008), (7FE0,0009), (7FE0,0010): always bulk data.
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
#: (0008,3002), the transfer syntaxes in which an instance lies here (PS3.18 §10.4.3.3.2).
AVAILABLE_TRANSFER_SYNTAX = "00083002"
_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_SEQUENCE_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    EOFError,
    OSError,
    NotImplementedError,
    struct.error,
    UserWarning,
)
_DEFAULT_ENCODINGS = ("iso8859",)
#: Character sets that go with no code extensions (PS3.3 §C.12.1.1.2).
_STAND_ALONE = frozenset({"UTF8", "GB18030", "GBK"})
#: Common misspellings of `ISO_IR`.
_IR = re.compile(r"^ISO[- ]IR ")
_UNICODE = {"vr": "CS", "Value": ["ISO_IR 192"]}


@dataclass(frozen=True, slots=True)
class JsonRules:
    """What is written inline and what as a URI.

    Attributes
    ----------
    bulk_root
        What stands before the path of an attribute in its BulkDataURI, with the slash at its end.
    binary_limit
        Bytes; a longer value of a binary VR becomes a BulkDataURI.
    text_limit
        Bytes; a longer value of any other VR becomes a BulkDataURI. `None`: never.
    sequence_limit
        Characters of JSON; a longer sequence becomes a BulkDataURI (not standard: for the index only,
        see `dicomweb.attributes`). `None`: never.
    """

    bulk_root: str
    binary_limit: int = 1024
    text_limit: int | None = None
    sequence_limit: int | None = None


@dataclass(frozen=True, slots=True)
class _Context:
    """What an item inherits from the data set around it."""

    rules: JsonRules
    encodings: Sequence[str]
    signed: bool
    path: str


def encode_dataset(ds: Dataset, rules: JsonRules) -> dict[str, Any]:
    """The data set with its nested items; group length and File Meta elements are left out.

    Text is decoded, so Specific Character Set, where present, says ISO_IR 192 (PS3.18 §F.2).
    """
    return _encode(ds, _Context(rules, _DEFAULT_ENCODINGS, False, ""))


def available(transfer_syntax_uid: str) -> dict[str, Any]:
    """Available Transfer Syntax UID of an instance that is stored in this one."""
    return {"vr": "UI", "Value": [transfer_syntax_uid]}


def dumps(model: Any) -> bytes:
    """UTF-8 JSON; lone surrogates are replaced."""
    text = json.dumps(model, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _encode(ds: Dataset, context: _Context) -> dict[str, Any]:
    context = replace(
        context, encodings=_encodings(ds, context.encodings), signed=_signed(ds, context.signed)
    )
    model: dict[str, Any] = {}
    for tag in sorted(ds.keys()):
        if tag.element == 0 or tag.group < 0x0008:
            continue
        if tag == _SPECIFIC_CHARACTER_SET:
            model["00080005"] = dict(_UNICODE)
        else:
            model[f"{tag:08X}"] = _attribute(ds, tag, context)
    return model


def _attribute(ds: Dataset, tag: BaseTag, context: _Context) -> dict[str, Any]:
    element: Any = ds.get_item(tag)
    key = f"{tag:08X}"
    rules = context.rules
    if isinstance(element, RawDataElement):
        vr = resolve_vr(tag, element.VR, context.signed)
        data: bytes | None = element.value or b""
    else:
        vr = settle_vr(str(element.VR), context.signed)
        data = element.value if isinstance(element.value, bytes) else None
    if vr == "SQ":
        return _sequence(ds, tag, context)
    if vr in BINARY_VRS:
        data = data or b""
        if tag in PIXEL_TAGS or len(data) > rules.binary_limit:
            return {"vr": vr, "BulkDataURI": f"{rules.bulk_root}{context.path}{key}"}
        return (
            {"vr": vr, "InlineBinary": base64.b64encode(_little(element, vr, data)).decode("ascii")}
            if data
            else {"vr": vr}
        )
    if data is not None and rules.text_limit is not None and len(data) > rules.text_limit:
        return {"vr": vr, "BulkDataURI": f"{rules.bulk_root}{context.path}{key}"}
    if isinstance(element, RawDataElement):
        # A UN that the dictionary knows is little endian, whatever the data set is (PS3.5 §6.2.2).
        little = element.is_little_endian or element.VR == "UN"
        values = values_from_bytes(vr, data or b"", context.encodings, little)
    else:
        values = values_from_element(element)
    # Several empty values keep their places; one is none (PS3.18 §F.2.5).
    if not values or values == [None]:
        return {"vr": vr}
    return {"vr": vr, "Value": values}


def _sequence(ds: Dataset, tag: BaseTag, context: _Context) -> dict[str, Any]:
    key = f"{tag:08X}"
    # Only the outermost sequence is measured: its length holds those within.
    limit = context.rules.sequence_limit if not context.path else None
    models = []
    length = 0
    for index, item in enumerate(sequence_items(ds, tag)):
        models.append(_encode(item, replace(context, path=f"{context.path}{key}/{index}/")))
        if limit is not None:
            # With the brackets of the list, or what stands between two items of it.
            length += len(json.dumps(models[-1])) + 2
            if length > limit:
                return {"vr": "SQ", "BulkDataURI": f"{context.rules.bulk_root}{key}"}
    return {"vr": "SQ", "Value": models} if models else {"vr": "SQ"}


def sequence_items(ds: Dataset, tag: BaseTag) -> Sequence[Dataset]:
    """The items of a sequence; none where they cannot be parsed. The data set stays as it was read."""
    element: Any = ds.get_item(tag)
    if not isinstance(element, RawDataElement):
        return element.value or ()
    implicit = element.is_implicit_VR or element.VR == "UN"
    little = element.is_little_endian or element.VR == "UN"
    try:
        return convert_SQ(element.value or b"", implicit, little, list(_DEFAULT_ENCODINGS))
    except _SEQUENCE_ERRORS:
        return ()


def resolve_vr(tag: BaseTag, vr: str | None, signed: bool) -> str:
    """The VR of an element as read: from the dictionary where the encoding is implicit or UN."""
    if vr is not None and vr != "UN":
        return str(vr)
    if tag.is_private_creator:
        return "LO"
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return "UN"
    return settle_vr(known, signed)


def settle_vr(vr: str, signed: bool) -> str:
    """One VR for the dictionary's ambiguous ones: by Pixel Representation, else OW."""
    if " or " not in vr:
        return vr
    if vr == "US or SS":
        return "SS" if signed else "US"
    return "OW"


def _little(element: Any, vr: str, data: bytes) -> bytes:
    """Bytes of a binary value in little endian order (PS3.18 §F.2.7)."""
    if isinstance(element, RawDataElement) and not element.is_little_endian:
        return little_endian(data, vr)
    return data


def _encodings(ds: Dataset, inherited: Sequence[str]) -> Sequence[str]:
    element = ds.get_item(_SPECIFIC_CHARACTER_SET)
    if element is None or not element.value:
        return inherited
    raw = element.value
    terms = raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw
    names = terms.split("\\") if isinstance(terms, str) else [str(term) for term in terms]
    known = [python_encoding.get(_IR.sub("ISO_IR ", name.strip(" \0"))) for name in names]
    if known[0] is None:
        return ("utf-8",)
    if known[0] in _STAND_ALONE:
        return (known[0],)
    return tuple(name for name in known if name is not None and name not in _STAND_ALONE)


def _signed(ds: Dataset, inherited: bool) -> bool:
    element = ds.get_item(_PIXEL_REPRESENTATION)
    if element is None or element.value in (None, b""):
        return inherited
    value = element.value
    if isinstance(value, bytes):
        return any(value)
    return bool(value)


def tag_of(key: str) -> BaseTag:
    """The tag of a DICOM JSON key.

    Raises
    ------
    ValueError
        If it is no 8 hexadecimal digits.
    """
    if len(key) != 8:
        raise ValueError("a tag has 8 hexadecimal digits")
    return Tag(int(key, 16))
