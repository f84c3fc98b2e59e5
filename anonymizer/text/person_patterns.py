"""Finds people in text by what stands beside their names: titles, labels, degrees.

A word that the vocabulary knows is taken for a name only behind a title or a label that leaves no doubt
(`Dr. Young`, `Patient name: Long`), and only where it is written as a name is.
"""
# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one

from __future__ import annotations

import re
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Final

from anonymizer.text.findings import Finding
from anonymizer.text.words import fold

if TYPE_CHECKING:
    from anonymizer.text.vocabulary import Vocabulary

#: Behind which any word written as a name is one.
_SURE_TITLES: Final = r"Dr\.|Prof\.|Professor|Doktor|Docteur|Mr\.|Mrs\.|Ms\.|Herrn|Hr\.|Mme\.?|Mlle\.?|Monsieur|Dott\.(?:ssa)?|Priv\.-Doz\."
#: Behind which a word is a name if it is unknown or a family name, too.
_TITLES: Final = (
    r"Dr|Prof|Doctor|Mr|Mrs|Ms|Miss|Herr|Frau|Fr\.|Madame|Sra\.?|Sr\.|Srta\.?|Dra\.?|Dott|Sig\.(?:ra)?|Dhr\.?|Mevr\.?|Mevrouw|Mw\.|Doz\.|Schwester"
    r"|DR\.?|MR\.|MS\.|MISS|PROF\.?|MRS\.?|HERRN?|FRAU|OA|OÄ|PD|CA|Don|Doña|Nurse|Sister|Pfleger|Señora?|MTRA|MTA|DOCTOR|herrn?|frau|mrs\.?|dr\.|prof\."
)
_BETWEEN_TITLES: Final = r"(?:(?:med|rer|nat|dent|h\.?c|phil|habil|univ|vet|Dr|Prof|PD|Doz|Dipl|Ing|OA|OÄ|CA|FA|MED|DR|PROF)(?:\.-?|(?= )|-)\s*)*"
_STRONG_LABELS: Final = (
    r"(?:patient(?:en)?(?:'?s)?|pat\.?)[ _-]?(?:full |last |first |family |sur)?name|nachname|vorname|familienname|geburtsname|surname|last ?name|first ?name|family name"
    r"|given name|full name|maiden name|nom du patient|nom de naissance|pr[ée]noms?|nombre(?: del paciente| y apellidos)?|apellidos?|achternaam|voornaam|naam(?: pati[ëe]nt)?|cognome"
    r"|(?:referring|requesting|attending|ordering|performing|reading|consulting|family|primary) (?:physician|doctor|provider|radiologist|md)|radiologist|technologist|sonographer"
    r"|operator(?: name)?|physician|referrer|überweiser|ueberweiser|zuweiser|einsender|anforderer|befunder|untersucher|hausarzt|verwijzer|aanvrager|médecin(?: traitant)?|m[ée]dico"
)
_WEAK_LABELS: Final = (
    r"patient(?:in|e|en)?|pat\.?|pt\.?|name|nom|paciente|pati[ëe]nt|paziente|doctor|arzt|ärztin|dr|tech|mtra?|rt|operator|contact|mother|father|mutter|vater|spouse|wife|husband|guardian|kontakt"
    r"|employer|next of kin|cc|attn|to|from|by|initials|user|author|signed|radiologe|assistent|kopie an"
)
_BY: Final = (
    r"(?:read|reported|dictated|signed|approved|transcribed|verified|performed|scanned|requested|referred|ordered|reviewed|interpreted|entered|acquired|done|checked|supervised|called|prepared|written|created|modified|edited|annotated|measured)"
    r"(?: electronically)? by|befundet (?:von|durch)|diktiert von|überwiesen (?:von|durch)|angefertigt von|freigegeben von|gez\.|i\. ?a\.|demandé par|prescrit par|realizado por|solicitado por|informado por|verwezen door|beoordeeld door"
    r"|discussed with|spoke (?:with|to)|seen by|copy to|kopie an|attn\.?|c/o|z\. ?hd\.|re:|on behalf of|im auftrag von|rücksprache mit|telefonisch an"
)
_NAME_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+|-(?=[A-ZÀ-Þ])[^\W\d_]+(?![\w]))*")
_INITIAL: Final = re.compile(r"[A-ZÀ-Þ](?:\.(?:[ -]?[A-ZÀ-Þ]\.)*|(?=[ ,^]))")
PARTICLES: Final = frozenset(
    """
    von van vom der den de des del della di da do dos das du la le el al bin ibn ben ter ten te zu zum zur af
    av y e san st mac mc o t
    """.split()  # noqa: SIM905  # a list of quoted words is harder to read
)
_BETWEEN: Final = re.compile(r" ?[,^] ?|[ .]{0,2}[ \t]'?|[.](?=[A-ZÀ-Þ])|[_]")
_NOTHING: Final = re.compile("")
_COMMA: Final = re.compile(r" ?[,^] ?")
_DEGREE: Final = re.compile(
    r"(?P<v>[^\W\d_][\w.'\u2019-]*(?:,? [^\W\d_][\w.'\u2019-]*){0,3}),? (?:M\.?D\.?|Ph\.?D\.?|D\.O\.|R\.?N\.?|RT ?\(R\)|R\.T\.|MTRA|MTA|FRCR|MBBS|MBChB|FACR|DDS|DMD|NP|PA-C|CRNA|RDMS|RVT|ARRT)(?!\w)"
)
#: Parts of a name at most.
_MOST: Final = 5
_MIN_SHOUTED: Final = 3


class Before(Enum):
    """What stands before a name."""

    #: No doubt that a name follows.
    SURE = "sure"
    TITLE = "title"
    LABEL = "label"
    #: What may be short for a disease or muscle, too.
    ABBREVIATION = "abbreviation"


@cache
def _compiled() -> list[tuple[Before, re.Pattern[str]]]:
    return [
        (
            Before.SURE,
            re.compile(rf"(?<![^\W_])(?<![.-])(?:{_SURE_TITLES})(?:\s+|-|(?<=\.)){_BETWEEN_TITLES}"),
        ),
        (Before.TITLE, re.compile(rf"(?<![^\W_])(?<![.-])(?:{_TITLES})(?:\s+|(?<=\.)){_BETWEEN_TITLES}")),
        (Before.SURE, re.compile(rf"(?<!\w)(?:{_STRONG_LABELS})\s*[:=]\s*", re.IGNORECASE)),
        (Before.ABBREVIATION, re.compile(r"(?<![\w.-])M\.\s+")),
        (Before.LABEL, re.compile(rf"(?<!\w)(?:{_WEAK_LABELS})\s*[:=]\s*", re.IGNORECASE)),
        (Before.LABEL, re.compile(rf"(?<!\w)(?:{_BY})\s*:?\s*", re.IGNORECASE)),
    ]


def looks_like_name(word: str, vocabulary: Vocabulary, *, shouting: bool) -> bool:
    """Whether a word is written as names are and no word that the vocabulary knows.

    Parameters
    ----------
    shouting
        The text knows no lower case: capitals say nothing.
    """
    if len(word) < _MIN_SHOUTED or not word[0].isupper():
        return False
    if word.isupper() and not shouting and len(word) < _MIN_SHOUTED + 1:
        return False
    parts = re.split(r"['\u2019-]", word)
    return any(len(p) > 1 and not vocabulary.knows(fold(p)) for p in parts) and not (
        vocabulary.knows(fold(word)) or _is_mixed(word)
    )


def without_terms(word: str, vocabulary: Vocabulary) -> str:
    """A word without terms that hang on it by hyphens: `Meyer` of `Meyer-Thorax`."""
    parts = word.split("-")
    for index, part in enumerate(parts):
        if (
            index
            and len(part) > 1
            and vocabulary.is_common(fold(part))
            and not vocabulary.could_be_name(fold(part))
        ):
            return "-".join(parts[:index])
    return word


def _is_mixed(word: str) -> bool:
    """Whether capitals stand inside a word as in `syngoVia`, and not as in `McDonald` or `DeVries`."""
    inner = word[1:]
    return (
        not word.isupper()
        and not inner.islower()
        and re.fullmatch(
            r"(?:Mc|Mac|De|Di|Van|Von|Le|La|O)?[A-ZÀ-Þ]['\u2019a-zà-ÿ]+(?:[-'\u2019][A-ZÀ-Þ]?[a-zà-ÿ]+)*",
            word,
        )
        is None
    )


def name_end(text: str, position: int, vocabulary: Vocabulary, *, before: Before) -> int:
    """Where the name that begins at a position ends; the position itself where there is none.

    Parameters
    ----------
    before
        What stands before it.
    """
    shouting = text.isupper()
    end, proven, after_given = position, False, False
    for count in range(_MOST):
        gap = _BETWEEN.match(text, position) if count else _NOTHING.match(text, position)
        if gap is None:
            break
        initial = _INITIAL.match(text, gap.end())
        word = _NAME_WORD.match(text, gap.end())
        if initial is not None:
            position = initial.end()
            end = position if proven else end
            continue
        if word is None:
            break
        written = without_terms(word.group(), vocabulary)
        position = word.start() + len(written)
        folded = fold(written)
        if written in PARTICLES or (folded in PARTICLES and not proven):
            continue
        if proven:
            after_comma = "," in gap.group() or "^" in gap.group()
            named = looks_like_name(written, vocabulary, shouting=shouting) or (
                (after_comma or after_given or not vocabulary.is_common(folded))
                and (written.istitle() or shouting)
                and vocabulary.could_be_name(folded)
            )
        else:
            named = _opens_name(written, folded, vocabulary, shouting=shouting, before=before)
            if not named and count == 0 and _name_after_comma(text, position, vocabulary, shouting=shouting):
                continue
        if not named:
            break
        after_given = not proven and (folded in vocabulary.given_names or folded in vocabulary.given_too)
        proven, end = True, position
    return end


def _opens_name(written: str, folded: str, vocabulary: Vocabulary, *, shouting: bool, before: Before) -> bool:
    """Whether a word behind a title or label is a name."""
    if looks_like_name(written, vocabulary, shouting=shouting):
        return True
    sure = before is Before.SURE
    if not written[0].isupper():
        return sure and len(written) > _MIN_SHOUTED and not vocabulary.knows(folded)
    if before is Before.ABBREVIATION:
        return False
    a_name_first = (
        before is not Before.LABEL or not vocabulary.is_common(folded) or folded in vocabulary.given_too
    )
    if len(written) > 1 and a_name_first and vocabulary.could_be_name(folded) and (written.istitle() or sure):
        return True
    if before is Before.TITLE and written.istitle() and len(written) > _MIN_SHOUTED:
        return not (vocabulary.is_common(folded) or shouting)
    return sure and written.istitle() and not shouting


def _name_after_comma(text: str, position: int, vocabulary: Vocabulary, *, shouting: bool) -> bool:
    """Whether `, Xaver` or `^Xaver` follows, which makes a name of the word before, too."""
    gap = _COMMA.match(text, position)
    following = gap and _NAME_WORD.match(text, gap.end())
    return bool(following and looks_like_name(following.group(), vocabulary, shouting=shouting))


def find_people(text: str, vocabulary: Vocabulary) -> list[Finding]:
    """Names behind titles and labels (with these) and before degrees, unordered; they may overlap."""
    found: list[Finding] = []
    for before, pattern in _compiled():
        for match in pattern.finditer(text):
            end = name_end(text, match.end(), vocabulary, before=before)
            if end > match.end():
                found.append(Finding(match.start(), end, "name"))
    for match in _DEGREE.finditer(text):
        start = _name_start(match["v"], vocabulary, shouting=text.isupper())
        if start is not None:
            found.append(Finding(match.start() + start, match.end(), "name"))
    return found


def _name_start(text: str, vocabulary: Vocabulary, *, shouting: bool) -> int | None:
    """Where a name before a degree begins: the last words that look like one."""
    start = None
    for match in reversed(list(_NAME_WORD.finditer(text))):
        word = match.group()
        first_name = start is not None and vocabulary.could_be_name(fold(word))
        initial = len(word) == 1 and word.isupper()
        if not (first_name or initial or looks_like_name(word, vocabulary, shouting=shouting)):
            break
        start = match.start()
    return start
