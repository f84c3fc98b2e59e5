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
_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def to_xml(model: dict[str, Any]) -> bytes:
    """One data set as a document in UTF-8."""
    root = Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _add_attributes(root, model)
    document: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document


def _add_attributes(parent: Element, model: dict[str, Any]) -> None:
    for tag, attribute in model.items():
        vr = str(attribute.get("vr", "UN"))
        element = SubElement(parent, "DicomAttribute", {"tag": tag, "vr": vr})
        keyword = keyword_for_tag(int(tag, 16))
        if keyword:
            element.set("keyword", keyword)
        if "BulkDataURI" in attribute:
            SubElement(element, "BulkData", {"uri": attribute["BulkDataURI"]})
        elif "InlineBinary" in attribute:
            SubElement(element, "InlineBinary").text = attribute["InlineBinary"]
        else:
            _add_values(element, vr, attribute.get("Value", ()))


def _add_values(element: Element, vr: str, values: Any) -> None:
    for number, value in enumerate(values, 1):
        if vr == "SQ":
            _add_attributes(SubElement(element, "Item", {"number": str(number)}), value or {})
        elif value is None:
            continue
        elif vr == "PN":
            _add_name(SubElement(element, "PersonName", {"number": str(number)}), value)
        else:
            SubElement(element, "Value", {"number": str(number)}).text = _text(value)


def _add_name(element: Element, groups: dict[str, str]) -> None:
    for group, name in groups.items():
        parent = SubElement(element, group)
        for part, text in zip(_NAME_PARTS, name.split("^"), strict=False):
            if text:
                SubElement(parent, part).text = _text(text)


def _text(value: Any) -> str:
    return _NOT_XML.sub("\ufffd", str(value))
