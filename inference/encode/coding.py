"""Codes as highdicom and the standard's tables want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.sr import CodedConcept

if TYPE_CHECKING:
    from dicom_node.domain.finding import Code


#: Coding scheme of the node's own codes; an object that uses one declares it (PS3.3 §C.12.1.1.11).
PRIVATE_SCHEME = "99DICOMNODE"


def concept(code: Code) -> CodedConcept:
    """A code of the domain as a coded concept."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def dcm(value: str, meaning: str) -> CodedConcept:
    """A code of the DICOM Controlled Terminology (PS3.16 Annex D)."""
    return CodedConcept(value, "DCM", meaning)


def sct(value: str, meaning: str) -> CodedConcept:
    """A code of SNOMED CT."""
    return CodedConcept(value, "SCT", meaning)


def ucum(value: str, meaning: str) -> CodedConcept:
    """A unit of UCUM."""
    return CodedConcept(value, "UCUM", meaning)


def ln(value: str, meaning: str) -> CodedConcept:
    """A code of LOINC."""
    return CodedConcept(value, "LN", meaning)
