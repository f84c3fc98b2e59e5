"""Extends what was found by what belongs to it: titles, labels, initials, and further names beside it."""

# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one
from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from anonymizer.text.findings import Finding, without_overlaps
from anonymizer.text.person_patterns import PARTICLES, looks_like_name, without_terms
from anonymizer.text.words import fold, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anonymizer.text.vocabulary import Vocabulary

_TITLE_BEFORE: Final = re.compile(
    r"(?<!\w)(?:(?:Dr|Prof|Professor|Mr|Mrs|Ms|Miss|Herrn?|Frau|Hr|Fr|Mme|Mlle|Sra?|Srta|Dra|Dott|med|rer|nat|habil|univ"
    r"|DR|PROF|MRS|HERRN?|FRAU)\b[.\s-]*|(?:dr|prof)\.\s*)+$|(?<!\w)(?:MR|MS)\.[\s]*$"
)
_LABEL_BEFORE: Final = re.compile(
    r"(?<!\w)(?:(?:patient(?:en)?(?:'?s)?|pat|subject|pt)\.?[ _-]?(?:name|id|nr|no|number|nummer)?|name|nachname|vorname"
    r"|surname|last ?name|first ?name|mrn|pid|id|acc(?:ession)?(?: ?(?:no|nr|number|#))?|dob|d\.o\.b\.?|born|geb|geb\.?"
    r"(?:oren)?(?: am)?|geburtsdatum|birth ?date|date of birth|né(?:e)? le|nom|prénom|nombre|paciente|naam"
    r"|(?:institution|hospital|klinik|address|adresse|station|operator|physician|doctor|arzt|tel|phone|fax|email|e-mail)"
    r")\.?\s*[:=#]\s*$|(?<!\w)(?:geb\.|born|dob|d\.o\.b\.|\*)\s*$",
    re.IGNORECASE,
)
_PARTICLES_BEFORE: Final = re.compile(
    r"(?<!\w)(?:van(?: (?:de|der|den|het|'t))?|von (?:der|den|und zu)|della|ter|ten) $", re.IGNORECASE
)
_INITIAL_BEFORE: Final = re.compile(r"(?<![\w])(?:[A-ZÀ-Þ]\.[ -]?)+$")
_INITIAL_AFTER: Final = re.compile(r"(?:,? ?|\^)(?:[A-ZÀ-Þ]\.)+|[,^] ?[A-ZÀ-Þ](?!\w)")
_DEGREE_AFTER: Final = re.compile(
    r",? (?:M\.?D\.?|Ph\.?D\.?|D\.O\.|R\.?N\.?|RT ?\(R\)|MTRA|MTA|FRCR|MBBS|MBChB|FACR|DDS|NP|RDMS|RVT|ARRT)(?!\w)"
)
#: What a name before it makes a medical term of.
_EPONYM_OF: Final = re.compile(
    r"(?:['\u2019]?s?|-[^\W\d_]+) (?:disease|syndrome|signs?|view|projection|method|ligament|muscle|nerve|artery|vein|canal|duct|fracture|screw|pin|plate"
    r"|procedure|operation|shunt|classification|score|scale|index|grade|test|reflex|lesion|cyst|tumou?r|line|angle|space|pouch|node|body|cell|hernia"
    r"|krankheit|syndrom|zeichen|klassifikation|zyste|maladie|signe|síndrome|enfermedad|signo|ziekte|syndroom)\b",
    re.IGNORECASE,
)
_PEOPLE: Final = frozenset({"identifier", "hint", "name"})
_CALLS_FOR_CARE: Final = frozenset({"identifier", "hint", "name", "address", "phone", "e-mail", "number"})
_NAME_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+|-(?=[A-ZÀ-Þ])[^\W\d_]+(?![\w]))*")
_GAP: Final = re.compile(
    r"(?: |, ?|\^|\. )(?:(?:van|von|vom|der|den|die|de|del|della|di|da|do|dos|du|la|le|el|al|bin|ibn|ben|ter|ten|te|zu|zum|zur|af|av|y|e)"
    r" ){0,3}",
    re.IGNORECASE,
)
#: What follows the street of an address.
_REST_OF_ADDRESS: Final = re.compile(
    r"\s*,\s*(?:(?P<code>\d{4,5}(?:-\d{4})?(?: ?[A-Z]{2})?(?!\w))(?: (?P<place>[A-ZÀ-Þ][^\W\d_]+)(?!\w))?|(?P<town>[A-ZÀ-Þ][^\W\d_]+(?:[ -][A-ZÀ-Þ][^\W\d_]+)?(?: \d{4,5})?)(?![\w])|(?:Piso|Puerta|Apt\.?|Esc\.?) ?\w+)|\s+(?:Piso|Puerta|Apt\.?|Suite|Esc\.?) ?\w+"
)
#: A code behind a comma: what stands before it is a town, whatever else its words mean.
_CODE_BEHIND: Final = re.compile(r", ?\d{5}(?!\w)")
_MIN_ALONE: Final = 4
_MIN_GIVEN: Final = 3


class Role(Enum):
    """What a word that is written as a name may be."""

    #: A given name and nothing else.
    GIVEN = "given"
    #: A given name that is also part of a medical term.
    EPONYM = "eponym"
    UNKNOWN = "unknown"
    #: A family name that is also part of a medical term.
    FAMILY = "family"
    #: A known word that is a given name, too.
    GIVEN_WORD = "given word"
    #: A word that is built as a term.
    GUESS = "guess"
    #: A known word that is a family name, too.
    WORD = "word"
    TERM = "term"


def with_neighbours(text: str, found: Sequence[Finding], vocabulary: Vocabulary) -> list[Finding]:
    """The findings with their titles, labels and initials."""
    extended = []
    for start, end, kind, certain in found:
        first, last = start, end
        if kind in _PEOPLE and any(map(str.isalpha, text[start:end])):
            before = _PARTICLES_BEFORE.search(text[:first])
            first = before.start() if before else first
            before = _INITIAL_BEFORE.search(text, 0, first)
            first = before.start() if before else first
            after = _INITIAL_AFTER.match(text, last)
            last = after.end() if after else last
            after = _DEGREE_AFTER.match(text, last)
            last = after.end() if after else last
            before = _TITLE_BEFORE.search(text[:first])
            first = before.start() if before else first
        if kind == "address":
            last = _end_of_address(text, last, vocabulary)
        before = _LABEL_BEFORE.search(text[:first])
        first = before.start() if before else first
        extended.append(Finding(first, last, kind, certain))
    return without_overlaps(extended)


def _end_of_address(text: str, end: int, vocabulary: Vocabulary) -> int:
    """Where the town and its code behind a street end: before a term."""
    while match := _REST_OF_ADDRESS.match(text, end):
        first = (
            match.start("town") if match["town"] else match.start("place") if match["place"] else match.end()
        )
        named = [word for word in words(text[first : match.end()]) if word.folded.isalpha()]
        terms = [word.start + first for word in named if vocabulary.is_common(word.folded)]
        if terms and not (match["town"] and _CODE_BEHIND.match(text, match.end())):
            return max(end, len(text[: terms[0]].rstrip(" ,-")))
        end = match.end()
    return end


def unknown_names(text: str, found: Sequence[Finding], vocabulary: Vocabulary) -> list[Finding]:
    """Words that look like names: given names, what stands beside a person, and all in a text with findings.

    Words joined to others by `_`, or to digits, are technique, not names.
    """
    shouting = text.isupper()
    candidates = [
        match
        for match in _NAME_WORD.finditer(text)
        if match.group()[0].isupper()
        and (match.group().lower() not in PARTICLES or match.group() == "Ben")
        and not _is_joined(text, *match.span())
    ]
    if not candidates:
        return []
    roles = [
        Role.TERM
        if _EPONYM_OF.match(text, match.end())
        else _role(match.group(), vocabulary, shouting=shouting)
        for match in candidates
    ]
    long = [len(match.group()) >= _MIN_ALONE for match in candidates]
    chosen = [role is Role.GIVEN and enough for role, enough in zip(roles, long, strict=True)]
    joined: set[int] = set()
    for index in range(1, len(candidates)):
        gap = text[candidates[index - 1].end() : candidates[index].start()]
        pair = roles[index - 1], roles[index]
        known = any(f.start <= candidates[index - 1].start() < f.end for f in found if f.kind == "identifier")
        if roles[index] in {Role.WORD, Role.GUESS} and (known or index - 1 in joined):
            continue  # the name is complete, a word follows
        if _GAP.fullmatch(gap) and _is_pair(*pair, comma=gap[0] != " "):
            chosen[index - 1] = chosen[index] = True
            joined.add(index)
    if any(chosen) or any(finding.kind in _CALLS_FOR_CARE for finding in found):
        unknown = [role is Role.UNKNOWN and enough for role, enough in zip(roles, long, strict=True)]
        chosen = [known or name for known, name in zip(chosen, unknown, strict=True)]
    names = []
    for index, match in enumerate(candidates):
        if chosen[index]:
            start = candidates[index - 1].start() if index in joined else match.start()
            end = match.start() + len(without_terms(match.group(), vocabulary))
            names.append(Finding(start, end, "name"))
    return names


def _role(word: str, vocabulary: Vocabulary, *, shouting: bool) -> Role:
    folded = fold(word)
    parts = [part.folded for part in words(folded)]
    given = any(part in vocabulary.given_names and len(part) >= _MIN_GIVEN for part in parts)
    if given and not any(vocabulary.is_common(part) for part in parts):
        return Role.EPONYM if any(part in vocabulary.proper for part in parts) else Role.GIVEN
    if looks_like_name(word, vocabulary, shouting=shouting):
        return Role.UNKNOWN
    if not vocabulary.could_be_name(folded):
        return Role.TERM if vocabulary.is_common(folded) or not word.istitle() else Role.GUESS
    if folded in vocabulary.given_too and word.istitle():
        return Role.GIVEN_WORD
    return Role.WORD if vocabulary.is_common(folded) else Role.FAMILY


def _is_pair(first: Role, second: Role, *, comma: bool) -> bool:
    """Whether two words are a given and a family name, or with a comma the other way round."""
    given = {Role.GIVEN, Role.EPONYM}
    if first is Role.UNKNOWN and second is Role.FAMILY:
        return True
    if first in given and second is not Role.TERM:
        return first is Role.GIVEN or second not in {Role.WORD, Role.GUESS}
    if first is Role.GIVEN_WORD and second in {Role.UNKNOWN, Role.FAMILY}:
        return True
    if comma and second is Role.GIVEN_WORD and first in {Role.UNKNOWN, Role.FAMILY}:
        return True
    return second in given and (first in {Role.UNKNOWN, Role.FAMILY} or (comma and first is not Role.TERM))


def _is_joined(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return any(c.isdigit() or c == "_" for c in before + after)
