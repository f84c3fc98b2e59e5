"""Extends what was found by what belongs to it: titles, labels, initials, and further names beside it."""

# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one
from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from anonymizer.findings import Finding, without_overlaps
from anonymizer.person_patterns import looks_like_name
from anonymizer.words import fold, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anonymizer.vocabulary import Vocabulary

_TITLE_BEFORE: Final = re.compile(
    r"(?<!\w)(?:(?:Dr|Prof|Professor|Mr|Mrs|Ms|Miss|Herrn?|Frau|Hr|Fr|Mme|Mlle|Sra?|Srta|Dra|Dott|med|rer|nat|habil|univ"
    r"|DR|PROF|MRS|HERRN?|FRAU)\b[.\s-]*)+$|(?<!\w)(?:MR|MS)\.[\s]*$"
)
_LABEL_BEFORE: Final = re.compile(
    r"(?<!\w)(?:(?:patient(?:en)?(?:'?s)?|pat|subject|pt)\.?[ _-]?(?:name|id|nr|no|number|nummer)?|name|nachname|vorname"
    r"|surname|last ?name|first ?name|mrn|pid|id|acc(?:ession)?(?: ?(?:no|nr|number|#))?|dob|d\.o\.b\.?|born|geb|geb\.?"
    r"(?:oren)?(?: am)?|geburtsdatum|birth ?date|date of birth|né(?:e)? le|nom|prénom|nombre|paciente|naam"
    r"|(?:institution|hospital|klinik|address|adresse|station|operator|physician|doctor|arzt|tel|phone|fax|email|e-mail)"
    r")\.?\s*[:=#]\s*$|(?<!\w)(?:geb\.|born|dob|d\.o\.b\.|\*)\s*$",
    re.IGNORECASE,
)
_INITIAL_BEFORE: Final = re.compile(r"(?<![\w])(?:[A-ZÀ-Þ]\.[ -]?)+$")
_INITIAL_AFTER: Final = re.compile(r"(?:,? ?|\^)(?:[A-ZÀ-Þ]\.)+|[,^] ?[A-ZÀ-Þ](?!\w)")
_DEGREE_AFTER: Final = re.compile(
    r",? (?:M\.?D\.?|Ph\.?D\.?|D\.O\.|R\.?N\.?|RT ?\(R\)|MTRA|MTA|FRCR|MBBS|MBChB|FACR|DDS|NP|RDMS|RVT|ARRT)(?!\w)"
)
_GAPS: Final = frozenset({" ", ", ", "^", ". ", ","})
_PEOPLE: Final = frozenset({"identifier", "hint", "name"})
_CALLS_FOR_CARE: Final = frozenset({"identifier", "hint", "name", "address", "phone", "e-mail", "number"})
_NAME_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_MIN_ALONE: Final = 4
_MIN_GIVEN: Final = 3


class Role(Enum):
    """What a word that is written as a name may be."""

    #: A given name and nothing else.
    GIVEN = "given"
    #: A given name that is also part of a medical term.
    EPONYM = "eponym"
    UNKNOWN = "unknown"
    #: A known word that is a family name, too.
    WORD = "word"
    TERM = "term"


def with_neighbours(text: str, found: Sequence[Finding]) -> list[Finding]:
    """The findings with their titles, labels and initials."""
    extended = []
    for start, end, kind, certain in found:
        first, last = start, end
        if kind in _PEOPLE and any(map(str.isalpha, text[start:end])):
            before = _INITIAL_BEFORE.search(text, 0, first)
            first = before.start() if before else first
            after = _INITIAL_AFTER.match(text, last)
            last = after.end() if after else last
            after = _DEGREE_AFTER.match(text, last)
            last = after.end() if after else last
            before = _TITLE_BEFORE.search(text[:first])
            first = before.start() if before else first
        before = _LABEL_BEFORE.search(text[:first])
        first = before.start() if before else first
        extended.append(Finding(first, last, kind, certain))
    return without_overlaps(extended)


def unknown_names(text: str, found: Sequence[Finding], vocabulary: Vocabulary) -> list[Finding]:
    """Words that look like names: given names, what stands beside a person, and all in a text with findings.

    Words joined to others by `_`, or to digits, are technique, not names.
    """
    shouting = text.isupper()
    candidates = [
        match
        for match in _NAME_WORD.finditer(text)
        if match.group()[0].isupper() and not _is_joined(text, *match.span())
    ]
    if not candidates:
        return []
    suspicious = any(finding.kind in _CALLS_FOR_CARE for finding in found)
    roles = [_role(match.group(), vocabulary, shouting=shouting) for match in candidates]
    chosen = [
        role is Role.GIVEN or (role is Role.UNKNOWN and suspicious and len(match.group()) >= _MIN_ALONE)
        for match, role in zip(candidates, roles, strict=True)
    ]
    for index in range(1, len(candidates)):
        gap = text[candidates[index - 1].end() : candidates[index].start()]
        pair = roles[index - 1], roles[index]
        if gap in _GAPS and _is_pair(*pair, comma=gap != " "):
            chosen[index - 1] = chosen[index] = True
    return [
        Finding(*match.span(), "name") for match, is_name in zip(candidates, chosen, strict=True) if is_name
    ]


def _role(word: str, vocabulary: Vocabulary, *, shouting: bool) -> Role:
    folded = fold(word)
    parts = [part.folded for part in words(folded)]
    given = any(part in vocabulary.given_names and len(part) >= _MIN_GIVEN for part in parts)
    if given and not any(vocabulary.is_common(part) for part in parts):
        return Role.EPONYM if any(part in vocabulary.proper for part in parts) else Role.GIVEN
    if looks_like_name(word, vocabulary, shouting=shouting):
        return Role.UNKNOWN
    return Role.WORD if vocabulary.could_be_name(folded) else Role.TERM


def _is_pair(first: Role, second: Role, *, comma: bool) -> bool:
    """Whether two words are a given and a family name, or with a comma the other way round."""
    given = {Role.GIVEN, Role.EPONYM}
    if first in given and second is not Role.TERM:
        return first is Role.GIVEN or second is not Role.WORD
    return second in given and (first is Role.UNKNOWN or (comma and first is Role.WORD))


def _is_joined(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return any(c.isdigit() or c == "_" for c in before + after)
