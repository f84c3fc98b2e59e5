"""DICOM JSON attributes: which level they belong to, and their values as matching compares them.

References
----------
PS3.18 Annex F (DICOM JSON model); PS3.3 A.1.2 (levels); PS3.4 C.6.2.1 (query keys of each level).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

Attributes = dict[str, Any]

MODALITY: Final = "00080060"
MODALITIES_IN_STUDY: Final = "00080061"
INSTANCE_NUMBER: Final = "00200013"
NUMBER_OF_STUDY_RELATED_SERIES: Final = "00201206"
NUMBER_OF_STUDY_RELATED_INSTANCES: Final = "00201208"
NUMBER_OF_SERIES_RELATED_INSTANCES: Final = "00201209"

_STUDY: Final = """
    00080005 00080201
    00100010 00100020 00100021 00100022 00100024 00100026 00100027 00100028 00100030 00100032 00100033
    00100034 00100035 00100040 00100212 00100213 00100214 00100215 00100216 00100217 00100218 00100219
    00101001 00101002 00102160 00102201 00102202 00102292 00102297 00104000
    00120010 00120020 00120021 00120030 00120031 00120040 00120042 00120062 00120063 00120064 00120081
    00080020 00080030 00080050 00080051 00080090 00080096 0008009C 0008009D 00081030 00081032 00081048
    00081049 00081060 00081062 00081110 0020000D 00200010 00321033 00321034 00401012
    00081080 00081084 00101010 00101020 00101021 00101022 00101023 00101024 00101030 00102000 00102110
    00102180 001021A0 001021B0 001021C0 001021D0 00102203 00380010 00380014 00380060 00380062 00380064
    00380500 00280303
"""
_SERIES: Final = """
    00080060 0020000E 00200011 00200060 00080021 00080031 00081050 00081052 00181030 0008103E 0008103F
    00081070 00081072 00081111 00081250 00180015 00185100 00280108 00280109 00082218 0008113A 00102210
    00400244 00400245 00400250 00400251 00400253 00400254 00400255 00400260 00400275 00400280 00080068
    00120060 00120071 00120072
    00080070 00080080 00080081 00081010 00081040 00081041 00081090 00181000 00181002 00181020 0018100B
    00181050 00181200 00181201 00200052 00201040
"""
#: Patient, Clinical Trial Subject, General Study and Patient Study modules.
STUDY_TAGS: Final = frozenset(_STUDY.split())
#: General Series, Clinical Trial Series, General Equipment and Frame of Reference modules.
SERIES_TAGS: Final = frozenset(_SERIES.split())

_TIME: Final = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?")
_DATE: Final = re.compile(r"\d{8}")


def values_of(attributes: Attributes, tag: str) -> list[Any]:
    """The values of an attribute; empty where it is absent or has none."""
    values = attributes.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []


def text_of(attributes: Attributes, tag: str) -> str:
    """All values as one text, line feeds between them, without what a database refuses."""
    return _clean("\n".join(str(value).strip() for value in values_of(attributes, tag) if value is not None))


def person_names(value: Any) -> list[str]:
    """The component groups of a person name that are there (PS3.5 §6.2.1)."""
    if isinstance(value, dict):
        groups = (value.get(group) for group in ("Alphabetic", "Ideographic", "Phonetic"))
        return [group for group in groups if isinstance(group, str) and group]
    return [group for group in str(value).split("=") if group]


def folded_names(attributes: Attributes, tag: str) -> str:
    """All component groups of all values, case-folded, line feeds between them."""
    names = (name for value in values_of(attributes, tag) for name in person_names(value))
    return _clean("\n".join(names).casefold())


def normal_date(value: Any) -> str:
    """`YYYYMMDD`, or "" where it is no date. ACR-NEMA's dots are taken off."""
    text = str(value).strip().replace(".", "")
    if not _DATE.fullmatch(text):
        return ""
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return ""
    return text


def normal_time(value: Any, filler: str = "000000.000000") -> str:
    """`HHMMSS.ffffff`, or "" where it is no time; what is missing is taken from `filler`."""
    text = str(value).strip().replace(":", "")
    return text + filler[len(text) :] if _TIME.fullmatch(text) else ""


def first_date(attributes: Attributes, tag: str) -> str:
    """The normal form of the first value."""
    return next((normal_date(value) for value in values_of(attributes, tag)), "")


def first_time(attributes: Attributes, tag: str) -> str:
    """The normal form of the first value."""
    return next((normal_time(value) for value in values_of(attributes, tag)), "")


def first_integer(attributes: Attributes, tag: str) -> int | None:
    """The first value as a 32-bit integer, or `None`."""
    for value in values_of(attributes, tag):
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if -(2**31) <= number < 2**31 else None
    return None


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
