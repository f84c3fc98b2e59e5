"""Dummy values (action D): constants by VR, valid and without any relation to what they replace.

References
----------
PS3.15 Table E.1-1a (D); PS3.5 Table 6.2-1 (VRs).
"""

from __future__ import annotations

from typing import Final

from anonymizer.codec import Dataset, Element

TEXT: Final = b"REMOVED"
_BY_VR: Final = {
    "AE": TEXT,
    "AS": b"000Y",
    "CS": TEXT,
    "DA": b"19000101",
    "DS": b"0",
    "DT": b"19000101000000",
    "IS": b"0",
    "LO": TEXT,
    "LT": TEXT,
    "PN": TEXT,
    "SH": TEXT,
    "ST": TEXT,
    "TM": b"000000",
    "UC": TEXT,
    "UR": b"urn:removed",
    "UT": TEXT,
}
#: Every dummy of a string VR, padded or not; a verifier accepts these and nothing else.
DUMMY_TEXTS: Final = frozenset(_BY_VR.values()) | {value + b" " for value in _BY_VR.values()}

_SCHEME: Final = b"99REMOVED"
_RELATIONSHIP, _VALUE_TYPE, _CONCEPT_NAME, _TEXT_VALUE = 0x0040A010, 0x0040A040, 0x0040A043, 0x0040A160


def dummy(vr: str) -> Element:
    """A dummy of a VR that is no sequence and no UID."""
    text = _BY_VR.get(vr)
    if text is not None:
        return Element(vr, text)
    if vr in {"FD", "OD", "OV", "SV", "UV"}:
        return Element(vr, bytes(8))
    if vr in {"AT", "FL", "OF", "OL", "SL", "UL"}:
        return Element(vr, bytes(4))
    return Element(vr, bytes(2))


def code_item(value: bytes = TEXT, scheme: bytes = _SCHEME, meaning: bytes = b"Removed") -> Dataset:
    """An item of a code sequence."""
    return {
        0x00080100: Element("SH", value),
        0x00080102: Element("SH", scheme),
        0x00080104: Element("LO", meaning),
    }


def dummy_items(tag: int) -> list[Dataset]:
    """Items that keep a sequence valid where its IOD demands one; sequences not named get a code item."""
    return {
        0x0040A730: _content,
        0x0040A073: _verifying_observer,
        0x00081072: _operator,
        0x00081111: _performed_procedure_step,
        0x00700001: _graphic_annotation,
        0x0040B020: _waveform_annotation,
        0x00340001: _flow_identifier,
    }.get(tag, _code)()


def _code() -> list[Dataset]:
    return [code_item()]


def _content() -> list[Dataset]:
    """Content Sequence: one text item under whatever root there is."""
    return [
        {
            _RELATIONSHIP: Element("CS", b"CONTAINS"),
            _VALUE_TYPE: Element("CS", b"TEXT"),
            _CONCEPT_NAME: Element("SQ", [code_item(b"121106", b"DCM", b"Comment")]),
            _TEXT_VALUE: Element("UT", TEXT),
        }
    ]


def _verifying_observer() -> list[Dataset]:
    return [
        {
            0x0040A075: dummy("PN"),
            0x0040A088: Element("SQ", []),
            0x0040A027: dummy("LO"),
            0x0040A030: dummy("DT"),
        }
    ]


def _operator() -> list[Dataset]:
    return [{0x00401101: Element("SQ", [code_item()]), 0x00080080: dummy("LO")}]


def _performed_procedure_step() -> list[Dataset]:
    """A reference to no step: Modality Performed Procedure Step and a well-known instance."""
    return [
        {
            0x00081150: Element("UI", b"1.2.840.10008.3.1.2.3.3"),
            0x00081155: Element("UI", b"1.2.840.10008.1.20.1.1"),
        }
    ]


def _graphic_annotation() -> list[Dataset]:
    """A text, for a graphic would have to count its dimensions in the byte order of the file."""
    text = {
        0x00700004: Element("CS", b"PIXEL"),
        0x00700006: dummy("ST"),
        0x00700014: Element("FL", bytes(8)),
        0x00700015: Element("CS", b"N"),
    }
    return [{0x00700002: dummy("CS"), 0x00700008: Element("SQ", [text])}]


def _waveform_annotation() -> list[Dataset]:
    return [{0x0040A0B0: Element("US", bytes(4)), 0x00700006: dummy("ST")}]


def _flow_identifier() -> list[Dataset]:
    return [{0x00340002: Element("OB", bytes(2)), 0x00340007: Element("OB", bytes(2))}]
