"""DICOM JSON as the Native DICOM Model in XML.

References
----------
PS3.19 §A.1 (Native DICOM Model), PS3.18 §8.7.3.2 (`application/dicom+xml`).
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom.datadict import keyword_for_tag

_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
#: Characters that XML 1.0 cannot hold at all.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
#: As XML Schema writes numbers that are not finite.
_NOT_FINITE = {"Infinity": "INF", "-Infinity": "-INF"}


def to_xml(model: dict[str, Any]) -> bytes:
    """One data set as a document in UTF-8."""
    root = Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _add_attributes(root, model)
    # A reader turns a bare carriage return into a line feed (XML 1.0 §2.11); a reference stays.
    document: bytes = tostring(root, encoding="utf-8").replace(b"\r", b"&#13;")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _add_attributes(parent: Element, model: dict[str, Any]) -> None:
    blocks = _blocks(model)
    for tag, attribute in model.items():
        vr = str(attribute.get("vr", "UN"))
        creator = blocks.get(tag[:6])
        shown = tag if creator is None else f"{tag[:4]}00{tag[6:]}"
        element = SubElement(parent, "DicomAttribute", {"tag": shown, "vr": vr})
        keyword = keyword_for_tag(int(tag, 16))
        if keyword:
            element.set("keyword", keyword)
        if creator is not None:
            element.set("privateCreator", creator)
        if "BulkDataURI" in attribute:
            SubElement(element, "BulkData", {"uri": attribute["BulkDataURI"]})
        elif "InlineBinary" in attribute:
            SubElement(element, "InlineBinary").text = attribute["InlineBinary"]
        else:
            _add_values(element, vr, attribute.get("Value", ()))


def _blocks(model: dict[str, Any]) -> dict[str, str]:
    """First six digits of a private block's tags to its creator; the first block, where it has several."""
    blocks: dict[str, str] = {}
    creators: set[tuple[str, str]] = set()
    for tag, attribute in model.items():
        group, element = int(tag[:4], 16), int(tag[4:], 16)
        if group % 2 == 0 or not 0x10 <= element <= 0xFF:
            continue
        creator = _text((attribute.get("Value") or [None])[0] or "")
        if creator and (tag[:4], creator) not in creators:
            creators.add((tag[:4], creator))
            blocks[f"{tag[:4]}{element:02X}"] = creator
    return blocks


def _add_values(element: Element, vr: str, values: Any) -> None:
    for number, value in enumerate(values, 1):
        if vr == "SQ":
            _add_attributes(SubElement(element, "Item", {"number": str(number)}), value or {})
        elif vr == "PN":
            _add_name(SubElement(element, "PersonName", {"number": str(number)}), value or {})
        elif value is None:
            SubElement(element, "Value", {"number": str(number)})
        else:
            text = _NOT_FINITE.get(value, value) if vr in {"FD", "FL"} else value
            SubElement(element, "Value", {"number": str(number)}).text = _text(text)


def _add_name(element: Element, groups: dict[str, str]) -> None:
    for group, name in groups.items():
        parent = SubElement(element, group)
        # What stands behind the suffix has no element of its own: it stays with the suffix.
        for part, text in zip(NAME_PARTS, name.split("^", len(NAME_PARTS) - 1), strict=False):
            if text:
                SubElement(parent, part).text = _text(text)


def _text(value: Any) -> str:
    return _NOT_XML.sub("\ufffd", str(value))
