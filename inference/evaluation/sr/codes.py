"""Coded concepts of reports that anybody may have written, and those that reports are read by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.sr.coding import Code as SpelledCode

from dicom_node.domain.finding import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

#: Designators of SNOMED RT codes, of which pydicom knows those of SNOMED CT (PS3.16 §8.1.1).
_SNOMED_RT = frozenset({"SRT", "SNM3", "99SDM"})

MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
SOURCE_SERIES = Code("121232", "DCM", "Source series for segmentation")
DERIVATION = Code("121401", "DCM", "Derivation")
MEAN = Code("373098007", "SCT", "Mean")

#: PS3.16 CID 240, and older or nearby codes that mean the same.
PRESENT = (Code("52101004", "SCT", "Present"),)
ABSENT = (Code("272519000", "SCT", "Absent"), Code("2667000", "SCT", "Absent"))
UNDETERMINED = (
    Code("373068000", "SCT", "Undetermined"),
    Code("82334004", "SCT", "Indeterminate"),
    Code("121059", "DCM", "Presence Undetermined"),
    Code("415684004", "SCT", "Suspected"),
)
#: What a margin or a size may be too: they are what was found only under a conclusive name.
QUALIFIERS = (Code("17621005", "SCT", "Normal"), Code("263654008", "SCT", "Abnormal"))
#: Names whose value is what was found, wherever they stand (PS3.16 CID 7002).
CONCLUSIVE = (
    Code("121071", "DCM", "Finding"),
    Code("121073", "DCM", "Impression"),
    Code("121077", "DCM", "Conclusion"),
    Code("111402", "DCM", "Clinical finding"),
    Code("404684003", "SCT", "Finding"),
    Code("439401001", "SCT", "Diagnosis"),
)
#: Names whose value is something else than what was found, in groups too.
DESCRIPTIVE = (
    Code("363698007", "SCT", "Finding Site"),
    Code("276214006", "SCT", "Finding category"),
    Code("272741003", "SCT", "Laterality"),
    Code("106233006", "SCT", "Topographical modifier"),
    Code("370129005", "SCT", "Measurement Method"),
    Code("432678004", "SCT", "Indication for procedure"),
    Code("47965005", "SCT", "Differential diagnosis"),
    Code("111000", "DCM", "Algorithm Family"),
    Code("121069", "DCM", "Previous Finding"),
    Code("121075", "DCM", "Recommendation"),
    DERIVATION,
)
#: Headings under which nothing stands that was found this time (PS3.16 CID 7001, and those of DCM).
OF_ANOTHER_TIME = (
    Code("11329-0", "LN", "History"),
    Code("121060", "DCM", "History"),
    Code("55115-0", "LN", "Request"),
    Code("121062", "DCM", "Request"),
    Code("18785-6", "LN", "Indications for Procedure"),
    Code("121109", "DCM", "Indications for Procedure"),
    Code("122139", "DCM", "Reason for Study"),
    Code("55752-0", "LN", "Clinical Information"),
    Code("55108-5", "LN", "Patient Presentation"),
    Code("18834-2", "LN", "Previous Findings"),
    Code("121068", "DCM", "Previous Findings"),
    Code("55114-3", "LN", "Prior Procedure Descriptions"),
    Code("121066", "DCM", "Prior Procedure Descriptions"),
    Code("18783-1", "LN", "Recommendations"),
)


def same(one: Code | None, other: Code) -> bool:
    """Whether two codes are one concept; a code of SNOMED RT is the one of SNOMED CT that took its place."""
    if one is None:
        return False
    if one.scheme in _SNOMED_RT or other.scheme in _SNOMED_RT:
        return bool(_spelled(one) == _spelled(other))
    return (one.value, one.scheme) == (other.value, other.scheme)


def among(one: Code | None, others: Iterable[Code]) -> bool:
    """Whether a code is one of several concepts."""
    return any(same(one, other) for other in others)


def told(code: Code) -> str:
    """A code for people."""
    return f'({code.value}, {code.scheme}, "{code.meaning}")'


def code_in(item: Dataset, keyword: str) -> Code | None:
    """The first code of a code sequence; `None` where there is none or it is broken (PS3.3 §8)."""
    items = item.get(keyword)
    if not items:
        return None
    first = items[0]
    value = first.get("CodeValue") or first.get("LongCodeValue") or first.get("URNCodeValue")
    if not value:
        return None
    return Code(
        str(value), str(first.get("CodingSchemeDesignator") or ""), str(first.get("CodeMeaning") or "")
    )


def _spelled(code: Code) -> SpelledCode:
    scheme = "SRT" if code.scheme in _SNOMED_RT else code.scheme
    return SpelledCode(code.value, scheme, "")
