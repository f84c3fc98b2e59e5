"""Rules that every result keeps: identifiers, patient, equipment, codes, references."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pydicom.sr.codedict import codes

from inference.encode.checks.classes import MODALITIES, TYPE_1, TYPE_1_OF, TYPE_2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from inference.encode.checks.baseline import Baseline

_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceUID")
# Coding scheme designators of PS3.16 Table 8-1 that need no declaration.
_SCHEMES = frozenset(
    {"DCM", "SCT", "SRT", "LN", "UCUM", "RADLEX", "RFC5646", "RFC3066", "FMA", "MDC", "NCIt", "UMLS"}
)
# Attributes that may name people or places: results have them empty or as the de-identified source does.
_IDENTITY = re.compile(
    r"^(Patient(?!IdentityRemoved|Orientation|Position).*|Other(Patient|Study).*|Institution.*|StationName"
    r"|AccessionNumber|Study(ID|Date|Time|Description)|.*Physician.*|Operators.*|Responsible.*|Admi.*"
    r"|IssuerOf.*|Requesting.*|ProtocolName|MilitaryRank|EthnicGroup|Occupation|MedicalRecordLocator)$"
)
# `None` where an element is not decoded yet and its encoding names no VR.
_LOOKED_INTO = ("PN", "SQ", None)
# Sequences of the patient and study modules refer to objects outside the study (PS3.3 §C.7.2.1).
_FOREIGN_REFERENCES = frozenset(
    {"ReferencedStudySequence", "ReferencedPatientSequence", "ReferencedPatientPhotoSequence"}
)


def check_header(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems that a result of any kind can have."""
    sop_class = ds.get("SOPClassUID")
    if sop_class not in TYPE_1_OF:
        yield "SOP Class: the gate has no rules for it"
        return
    for keyword in (*TYPE_1, *TYPE_1_OF[sop_class]):
        if keyword not in ds or ds[keyword].is_empty:
            yield f"{keyword} is missing or empty"
    for keyword in TYPE_2:
        if keyword not in ds:
            yield f"{keyword} is missing"
    if ds.get("Modality") != MODALITIES[sop_class]:
        yield "Modality does not fit the SOP Class"
    if ds.get("StudyInstanceUID") != baseline.study_instance_uid:
        yield "StudyInstanceUID is not the study's"
    if ds.get("SeriesInstanceUID") in baseline.source_series:
        yield "SeriesInstanceUID is that of a source series"
    yield from _check_identity(ds, baseline.header)
    yield from _check_equipment(ds)
    yield from check_part(ds, baseline)


def check_part(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of names, codes and references, at any nesting of all or some elements."""
    yield from _check_nested(ds, baseline, _declared_schemes(ds))


def _check_identity(ds: Dataset, source: Dataset) -> Iterator[str]:
    if ds.get("PatientIdentityRemoved") != "YES":
        yield "PatientIdentityRemoved is not YES"
    if str(ds.get("PatientID") or "") != str(source.get("PatientID") or ""):
        yield "PatientID is not the source's"
    for element in ds:
        if not element.is_empty and _IDENTITY.match(element.keyword):
            original = source.get(element.tag)
            if original is None or original.value != element.value:
                yield f"{element.keyword} is not as in the de-identified source"


def _check_equipment(ds: Dataset) -> Iterator[str]:
    items = ds.get("ContributingEquipmentSequence") or []
    if not items:
        yield "ContributingEquipmentSequence is missing"
    for item in items:
        for keyword in _EQUIPMENT:
            if not item.get(keyword):
                yield f"ContributingEquipmentSequence: {keyword} is missing or empty"
        purpose = (item.get("PurposeOfReferenceCodeSequence") or [{}])[0]
        if (purpose.get("CodeValue"), purpose.get("CodingSchemeDesignator")) != ("109102", "DCM"):
            yield "ContributingEquipmentSequence: the purpose is not Processing Equipment (109102, DCM)"


def _check_nested(ds: Dataset, baseline: Baseline, schemes: frozenset[str]) -> Iterator[str]:
    """Names, codes and references, at any nesting."""
    if "CodeValue" in ds:
        yield from _check_code(ds, schemes)
    yield from _check_reference(ds, baseline)
    for tag in ds.keys():  # noqa: SIM118 - iterating over the data set itself would decode every value
        if not tag.is_private and ds.get_item(tag).VR not in _LOOKED_INTO:
            continue
        element = ds[tag]
        if element.is_empty:
            continue
        if element.tag.is_private:
            yield "a private attribute is left"
        elif element.VR == "PN" and str(element.value) not in baseline.names:
            yield f"{element.keyword} names somebody that the source does not"
        elif element.VR == "SQ" and element.keyword not in _FOREIGN_REFERENCES:
            for item in element.value:
                yield from _check_nested(item, baseline, schemes)


def _check_reference(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    if "ReferencedSOPInstanceUID" in ds:
        known = baseline.sop_classes.get(ds.ReferencedSOPInstanceUID)
        if ds.ReferencedSOPInstanceUID == baseline.study_instance_uid:
            return  # a structure set refers to the study as if it were an object
        if known is None:
            yield "a reference is to no instance of the study or its results"
        elif known != ds.get("ReferencedSOPClassUID"):
            yield "a reference names another SOP Class than the instance has"
    elif (
        "SeriesInstanceUID" in ds
        and "StudyInstanceUID" not in ds
        and ds.SeriesInstanceUID not in (baseline.series_sizes)
    ):
        yield "a reference is to no series of the study or its results"


def _check_code(item: Dataset, schemes: frozenset[str]) -> Iterator[str]:
    value, scheme = str(item.CodeValue), str(item.get("CodingSchemeDesignator") or "")
    if not item.get("CodeMeaning"):
        yield "a code has no meaning"
    if scheme not in schemes:
        yield "a code's scheme is neither a standard one nor declared in CodingSchemeIdentificationSequence"
    elif scheme == "DCM":
        meanings = _dicom_meanings().get(value)
        if meanings and str(item.get("CodeMeaning")).casefold() not in meanings:
            yield f"the code ({value}, DCM) does not have that meaning in PS3.16 Annex D"


@lru_cache(maxsize=1)
def _dicom_meanings() -> dict[str, set[str]]:
    """Code value to its meanings, of the DICOM Controlled Terminology."""
    meanings: dict[str, set[str]] = {}
    for code in codes.DCM.concepts.values():
        meanings.setdefault(code.value, set()).add(code.meaning.casefold())
    return meanings


def _declared_schemes(ds: Dataset) -> frozenset[str]:
    declared = ds.get("CodingSchemeIdentificationSequence") or []
    return _SCHEMES | {str(item.get("CodingSchemeDesignator")) for item in declared}
