"""Finds what identifies people in text by its form alone: no list of known identifiers is needed.

Numbers of technique (times, angles, voltages, matrices, versions, levels of the spine, scores) are left
alone: a number counts only with a label, a check digit, or six digits and more where no unit, sign of a
ratio or decimal point stands beside it.

References
----------
45 CFR 164.514(b)(2) (identifiers of the safe harbour); PS3.15 §E.1.1.
"""
# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from anonymizer.text.check_digits import is_identity_number
from anonymizer.text.contact_patterns import find_contacts
from anonymizer.text.findings import Finding, without_overlaps
from anonymizer.text.person_patterns import find_people
from anonymizer.text.words import fold
from anonymizer.text.written_dates import find_dates
from anonymizer.uids import is_registered

if TYPE_CHECKING:
    from anonymizer.text.vocabulary import Vocabulary

__all__ = ["Finding", "find_patterns"]

_ID_LABEL: Final = (
    r"(?<!\w)(?:mrn|m\.r\.n\.|pid|pat(?:ient(?:en)?)?(?:'s)?[ ._-]{0,2}(?:id|nr|no|number|nummer|num|num[ée]ro|kennung)|patid|fall[ ._-]?(?:nr|nummer|id)"
    r"|case[ ._-]?(?:no|nr|number|id)|acc(?:ession)?(?:[ ._-]?(?:no|nr|number|num|#))?|accnr|order[ ._-]?(?:no|nr|number|id)|auftrags?[ ._-]?(?:nr|nummer)"
    r"|visit[ ._-]?(?:no|nr|number|id)|encounter|ssn|social security(?: number)?|nhs(?:[ ._-]?(?:no|number))?|ahv(?:[ ._-]?nr)?|bsn|kvnr"
    r"|versicherten?[ ._-]?(?:nr|nummer)|n° ?(?:de )?(?:dossier|s[ée]cu)|dossier(?: n°| nr)?|ipp|nhc|n[úu]mero de historia|historia(?: cl[íi]nica)?|hospital[ ._-]?(?:no|number|id)"
    r"|medical record(?: (?:no|number|#))?|record[ ._-]?(?:no|number)|chart[ ._-]?(?:no|number|#)|exam[ ._-]?(?:id|no|number)|study[ ._-]?id|req(?:uest)?[ ._-]?(?:id|no|number)|ref(?:erence)?[ ._-]?(?:no|nr|number|#)"
    r"|insurance(?: (?:no|id|number))?|policy(?: (?:no|number))?|licen[cs]e(?: (?:no|number))?|passport(?: (?:no|number))?|employee[ ._-]?id|user[ ._-]?(?:id|name)?|login|serial(?: (?:no|nr|number))?|s/n|id)"
)
_NOT_TECHNICAL: Final = r"(?![\w.]*[.,]\d)(?! ?(?:ms|msec|s|sec|us|µs|hz|khz|mhz|mm[23²³]?|cm[23²³]?|µm|um|ml|mg|g|kg|mbq|gbq|bq|mci|mgy|gy|kv|kvp|mas|ma|px|pixels?|voxels?|%|counts|cts|kb|mb|bytes?|rpm|ppm)\b)"
#: kind, certain, pattern; the group `v`, if any, is what must hold a digit.
_FORMS: Final[tuple[tuple[str, bool, str], ...]] = (
    ("number", False, rf"{_ID_LABEL}\.?\s*(?:[:=#]|is\b|nr\.?|no\.?)+\s*(?P<v>[\w./-]*\d[\w./-]*)"),
    ("number", False, r"(?<!\w)(?:mrn|pid|patid|accession|acc|ssn|nhs|nhs no|kvnr|pat[ ._-]?(?:id|nr|no)|patient ?id|fallnr|fallnummer)\.?[ _-]?(?P<v>\w*-?\d{4,}[\w-]*|\d{2,4}(?:[- ]\d{2,4}){1,3}(?!\w))"),
    ("number", False, rf"(?<![\w.,=/*^+-])\d{{6,}}(?![\w])(?!\.\d){_NOT_TECHNICAL}"),
    ("number", False, rf"(?<=[_/#:=-])\d{{7,}}(?!\w)(?!\.\d){_NOT_TECHNICAL}"),
    ("number", False, r"(?<!\w)\d{6,}(?=_)"),
    ("number", False, r"(?<![\w.])(?!(?:b|te|tr|ti|fa|fov|wl|ww|w|l|c|bw|x|rid|sct|iec|pk|m-?8|ro|dcm|cpt|icd|loinc|gd|iso|syngo|n|cid|tid)\d)[a-z]{1,6}[-_#]?\d{6,}(?:[-/.]\d{1,8}|[a-z]{1,2})?(?![^\W_]| \^)"),
    ("number", False, r"(?<![\w.])(?!(?:b|te|tr|ti|fa|fov|wl|ww|w|l|c|bw|x|rid|sct|iec|pk|m-?8|ro|dcm|cpt|icd|loinc|gd|iso|syngo|n|cid|tid)\d)[a-z]{1,4}[-_#]?\d{5}(?:-?\d{1,4}|[a-z]{1,2})?(?![^\W_]|\.\d)"),
    ("number", False, r"(?<![\w.])\d{5,}[a-z]{1,3}(?:[-_]?\d+)?(?!\w)(?<!\dms)(?<!\dhz)(?<!mm)(?<!\dkv)(?<!px)(?<!\dml)"),
    ("number", False, r"(?<![\w.-])\d{2,4}[-/ ]\d{5,}(?:[-/ ]\d{1,3})?(?![\w.-])"),
    ("age", True, r"(?<![\d.,x/-])(?:9\d|1[0-2]\d)[ -]?(?:y\.?/?o\.?|yo|yrs?[ -]?old|years?[ -]old|yr|yrs|years|jahre?(?: alt)?|j[äa]hrig\w*|ans|años|anos|jaar(?: oud)?|jarige|anni)(?![\w])"),
    ("age", True, r"(?<!\w)0?(?:9\d|1[0-2]\d)Y(?!\w)"),
    ("age", True, r"(?<!\w)(?:aged?|alter|âge|edad|leeftijd|età|idade|y\.o\.)\s*[:=]?\s*(?:of |von |de )?(?P<v>9\d|1[0-2]\d)(?![\d.]|[ ]?(?:days?|d\b|tage?|months?|monate?|mo\b|m\b|weeks?|wochen?|w\b|mois|min|h\b|jours))"),
    ("age", True, r"\b(?:ninety(?:[- ]\w{3,5})?|(?:a |one[- ])hundred(?:[- ]and)?(?:[- ]\w{3,6})?)[- ]years?(?:[- ]old)?\b"),
    ("age", True, r"\b(?:\w{3,6}und)?neunzig(?: ?jahre|-?jährig\w*)|\bquatre-vingt-(?:dix|onze|douze|treize|quatorze|quinze|seize)[\w-]* ans|\bnoventa(?: y \w+)? años"),
    ("uid", False, r"(?<![\w.])[012](?:\.\d+){5,}(?![\w]|\.\d)"),
    ("uid", False, r"(?<![\w.])1\.(?:2\.(?:840|276|752|826|392|528|410|250|40)|3\.(?:6\.1|46|51|12))\.\d[\d.]*\d(?!\w)"),
    ("uid", False, r"(?<![\w.])2\.(?:25\.\d{6,}|16\.\d[\d.]+\d)(?!\w)"),
)  # fmt: skip
_IN_WORDS: Final = re.compile("ninety|hundred|neunzig|quatre-vingt|noventa", re.IGNORECASE)
_DIGIT_RUN: Final = re.compile(r"(?<![\w.-])[A-Z]{0,2}[ ]?\d(?:[ .-]?\d){6,14}[A-Z]?(?![\w-]|\.\d)")
_PREFIX: Final = re.compile(r"([^\W\d_]{2,})[-_](?=\d+\W*$)")
_MIN_LABELLED: Final = 3


@cache
def _compiled() -> list[tuple[str, bool, re.Pattern[str]]]:
    return [(kind, certain, re.compile(form, re.IGNORECASE)) for kind, certain, form in _FORMS]


def find_numbers(text: str, vocabulary: Vocabulary) -> list[Finding]:
    """Identity numbers, ages over 89, and UIDs that the standard does not register."""
    found = [
        Finding(*match.span(), "number", certain=True)
        for match in _DIGIT_RUN.finditer(text)
        if is_identity_number(match.group())
    ]
    for kind, certain, pattern in _compiled():
        for match in pattern.finditer(text):
            if kind == "uid" and is_registered(match.group()):
                continue
            if "v" in pattern.groupindex and kind == "number" and len(match["v"]) < _MIN_LABELLED:
                continue
            start, end = match.span()
            prefix = _PREFIX.match(match.group()) if kind == "number" else None
            if prefix and vocabulary.is_common(fold(prefix[1])):
                start += prefix.end()  # `FLAIR_4711008`: the word is not part of the number
            found.append(Finding(start, end, kind, certain))
    return found


def find_patterns(text: str, vocabulary: Vocabulary) -> list[Finding]:
    """Stretches of a text that identify by form, in order, those that overlap joined."""
    found = find_contacts(text, vocabulary) + find_people(text, vocabulary)
    if any(map(str.isdigit, text)) or _IN_WORDS.search(text):
        registered = [m.span() for m in _REGISTERED.finditer(text) if is_registered(m.group())]
        dates = [Finding(d.start, d.end, "date", d.certain) for d in find_dates(text)]
        spans = registered + [(d.start, d.end) for d in dates]
        numbers = [
            number
            for number in find_numbers(text, vocabulary)
            if not any(start <= number.start and number.end <= end for start, end in spans)
        ]
        found += numbers + [d for d in dates if not any(start <= d.start < end for start, end in registered)]
    return without_overlaps(found)


_REGISTERED: Final = re.compile(r"1\.2\.840\.10008(?:\.\d+)+")
