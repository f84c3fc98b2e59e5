"""Words that identify nobody: terms of the standard, of radiology, and of everyday reports.

Two circles. `is_common`: a word that stands in de-identified objects for other reasons than somebody's
name; it is not looked for alone, even where a patient is called so. `knows`: also eponyms, products,
words built as medical terms are built, and German compounds of known parts; such a word is no reason to
think of a name, but it is looked for where somebody bears it.

References
----------
PS3.16 (code meanings), PS3.6 (names and keywords), PS3.16 Annex L (Body Part Examined).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Final, cast

from anonymizer.text.words import fold, spellings

CURATED: Final = "radiology_words.txt"
_PROPER: Final = frozenset({"eponyms", "products"})
_PARTS: Final = "german parts"
_MIN_COMPOUND: Final = 7
_MIN_PART: Final = 3
_LINKS: Final = ("", "s", "n", "en", "es")
#: Endings of terms, not of names.
_MEDICAL: Final = re.compile(
    r"..+(?:itis|itides|osis|oses|omas?|omata|omen?|ectom(?:y|ies|ie|ia)|ektomie|ostom(?:y|ie|a)|otom(?:y|ie|ia)|plast(?:y|ik|ie|ia)"
    r"|gra(?:ph|f)(?:y|ie|ies|ia|ic|isch|ische|ique|ico|ica)|grams?|gramme?s?|[sk]kop(?:ie|isch)|scop(?:y|ic|ie|ia)"
    r"|path(?:y|ies|ie|ien|ic|isch)|patia|a?emi[ae]|uri[ae]|algi[ae]|megal(?:y|ie|ia)|lyse|lysis|genic|gene?s?is"
    r"|troph(?:y|ic|ie)|plasi[ae]|plegi[ae]|penia|cytes?|tion|tions|tionen|zione|cion|ciones|sion|sions|ität|itat"
    r"|itaten|log(?:y|ie|ical|ic|isch|ist|ia|ique)|ular|ulär|oid|oide|ectas(?:is|ia|ie)|stenos[ei]s?|thorax|metr(?:y|ie|ia|ic)"
    r"|ismus|isms?|ische[rnms]?|lich(?:e[rnms]?)?|keit|heit|schaft|ungen|ness|ments?|ized|ised|ability|ably|ious|eous"
    r"|aceae|ivity|ively|ically|cardi(?:al|um|ac|a)|vascular|cranial|spinal|femoral|thoracic|abdominal|pulmonar[ye]?)"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words; see the module for the two circles.

    Attributes
    ----------
    given_names
        Given names that are no common words.
    given_too
        Words that are given names, too.
    family_names
        Words and eponyms that are frequent family names, too.
    """

    common: frozenset[str] = field(repr=False)
    proper: frozenset[str] = field(repr=False)
    parts: frozenset[str] = field(repr=False)
    given_names: frozenset[str] = field(repr=False)
    given_too: frozenset[str] = field(repr=False)
    family_names: frozenset[str] = field(repr=False)

    def is_common(self, folded: str) -> bool:
        """Whether a word is a term or an everyday word, in singular or plural."""
        return folded in self.common or (len(folded) > 4 and folded[-1] == "s" and folded[:-1] in self.common)

    def knows(self, folded: str) -> bool:
        """Whether a word is no reason to think of a name."""
        if self.is_common(folded) or folded in self.proper:
            return True
        if folded in self.given_names:
            return False
        return (len(folded) > 5 and bool(_MEDICAL.fullmatch(folded))) or self._is_compound(folded)

    def could_be_name(self, folded: str) -> bool:
        """Whether a word that is known may be a name, too."""
        return (
            folded in self.family_names
            or folded in self.given_names
            or folded in self.given_too
            or folded in self.proper
        )

    def _is_compound(self, folded: str) -> bool:
        """Whether a word is made of German parts, each known, as in `Halswirbelsäule`."""
        if len(folded) < _MIN_COMPOUND:
            return False
        reached = {0}
        for start in range(len(folded)):
            if start not in reached:
                continue
            for end in range(start + _MIN_PART, len(folded) + 1):
                if folded[start:end] in self.parts:
                    reached.update(end + len(link) for link in _LINKS if folded.startswith(link, end))
        return len(folded) in reached


def read_sections(name: str) -> dict[str, str]:
    """Sections of a word list of the package, by title; lines that begin with # are left out."""
    text = resources.files("anonymizer").joinpath("data", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    sections: dict[str, list[str]] = {}
    title = ""
    for line in lines:
        if line.startswith("["):
            title = line.strip("[]")
        else:
            sections.setdefault(title, []).append(line)
    return {key: "\n".join(value) for key, value in sections.items()}


def _folded(text: str) -> set[str]:
    """Forms of all words of a text, those written with hyphens in parts, too."""
    found: set[str] = set()
    for word in text.split():
        for part in {word, *re.split(r"['-]", word)}:
            found.add(fold(part))
            if not part.isascii():
                found |= spellings(part)
    return found


@cache
def load_vocabulary() -> Vocabulary:
    """Read the word lists from the package, once a process."""
    standard = json.loads(
        resources.files("anonymizer").joinpath("_standard", "vocabulary.json").read_text(encoding="utf-8")
    )
    sections = read_sections(CURATED)
    plain = " ".join(text for title, text in sections.items() if title not in _PROPER)
    common = _folded(plain) | set(standard["terms"].split())
    proper = _folded(" ".join(sections[title] for title in _PROPER)) | set(standard["proper"].split())
    german = _folded(sections[_PARTS]) | {w for w in _folded(sections["german"]) if len(w) > _MIN_PART + 1}
    return Vocabulary(
        common=frozenset(common),
        proper=frozenset(proper),
        parts=frozenset(word for word in german if len(word) >= _MIN_PART),
        family_names=frozenset(standard["family_names"].split()),
        given_too=frozenset(standard["given_too"].split()),
        given_names=frozenset(" ".join(read_sections("given_names.txt").values()).split()) - common,
    )


@lru_cache(maxsize=1)
def standard_meanings() -> frozenset[str]:
    """Code meanings of the standard of more than one word, folded: as a whole they identify nobody."""
    from pydicom.sr._concepts_dict import concepts  # large, and seldom needed

    schemes = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", concepts)
    return frozenset(
        fold(meaning)
        for scheme in schemes.values()
        for codes in scheme.values()
        for meaning, *_ in codes.values()
        if " " in meaning
    )
