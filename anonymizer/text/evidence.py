"""What the input says about people: the strings that must not appear in the output.

Which strings are looked for
    Parts of every person name (three characters or more), in every component group, and the name as a
    whole; names that stand behind a title or a label in a text; whole identifiers, addresses, telephone
    numbers and institution names (four or more); the birth date in common spellings. Case and accents do
    not count, and a match begins and ends at a word's boundary.
    (An institution named as the maker of the device is not: the profile keeps the maker.)
Which are not, because they would also match what identifies nobody
    Numbers of fewer than five digits; numbers inside decimal, integer and UID strings; words that are
    terms of the standard or of radiology (`vocabulary`, defined terms of Body Part Examined), such as a
    patient called Head. A name whose parts are such words is still looked for as a whole.
Hints
    Strings that only the cleaning of free text looks for: distinctive words of institutions and addresses,
    station names and AE titles, names in private attributes. They stop no output.

References
----------
PS3.15 §E.1.1; PS3.5 §6.2.1 (person names).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from anonymizer.part10 import text_value
from anonymizer.text.encoding import decode, encodings
from anonymizer.text.identifying_tags import (
    BIRTH_DATES,
    IDENTIFIERS,
    LESS_SURE,
    MAKER,
    NUMBERED,
    ORGANIZATIONS,
)
from anonymizer.text.names import name_strings
from anonymizer.text.patterns import find_patterns
from anonymizer.text.vocabulary import Vocabulary, load_vocabulary
from anonymizer.text.words import fold, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anonymizer.codec import Dataset

__all__ = ["BIRTH_DATES", "IDENTIFIERS", "Evidence"]

MIN_VALUE: Final = 4
MIN_DIGITS: Final = 5
#: Digits of an identifier that are looked for without the letters around them.
MIN_CORE: Final = 6
_TEXT_VRS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_PRIVATE_VRS: Final = frozenset({"LO", "SH", "UN"})
#: Values of unknown meaning beyond this size (bytes) are no names.
_MAX_UNKNOWN: Final = 64
_LABEL: Final = re.compile(r"[:=]|\b(?:[Dd]r|[Pp]rof|[Mm]rs?|[Ms]s|[Gg]eb|Herrn?|Frau|DR|PROF)\b")
_PRIVATE_NAME: Final = re.compile(r"[^\W\d_][^\W\d_' -]+\^[^\W\d_][^\W\d_'. -]+(?:\^[^\W\d_'. ^-]*)*")
_NOT_A_BIRTH_DATE: Final = "19000101"


@dataclass(slots=True)
class Evidence:
    """Identifiers of a study's instances, each with the tag it was found under. Can be pickled.

    Attributes
    ----------
    body_parts
        Defined terms of Body Part Examined, upper case: no names.
    retained
        Tags whose values the profile keeps: not looked for.
    strings
        Lower-case strings that must not stand in an output.
    hints
        Lower-case strings that cleaning removes from free text.
    weak
        Folded words that are names here, and elsewhere not: removed only behind a title, or where one
        stands alone in free text.
    dates
        Spellings of birth dates.
    days
        All dates of the study, birth dates as well.
    spared
        Folded words of retained values: no names.
    """

    body_parts: frozenset[str] = frozenset()
    retained: frozenset[int] = frozenset()
    strings: dict[str, int] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    weak: dict[str, int] = field(default_factory=dict)
    dates: dict[str, int] = field(default_factory=dict)
    days: dict[date, int] = field(default_factory=dict)
    spared: set[str] = field(default_factory=set)
    _seen: set[tuple[int, bytes]] = field(default_factory=set, repr=False)

    @classmethod
    def merged(cls, parts: Iterable[Evidence]) -> Evidence:
        """Evidence of all parts together; the first part says what is retained."""
        whole = cls()
        for number, part in enumerate(parts):
            if number == 0:
                whole.body_parts, whole.retained = part.body_parts, part.retained
            for mine, theirs in (
                (whole.strings, part.strings),
                (whole.hints, part.hints),
                (whole.weak, part.weak),
                (whole.dates, part.dates),
            ):
                for string, tag in theirs.items():
                    mine.setdefault(string, tag)
            whole.spared |= part.spared
            for day, tag in part.days.items():
                whole.days.setdefault(day, tag)
        return whole

    def __getstate__(self) -> tuple[object, ...]:
        return (
            self.body_parts,
            self.retained,
            self.strings,
            self.hints,
            self.weak,
            self.dates,
            self.days,
            self.spared,
        )

    def __setstate__(self, state: tuple[object, ...]) -> None:
        names = ("body_parts", "retained", "strings", "hints", "weak", "dates", "days", "spared")
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)
        self._seen = set()

    def collect(self, dataset: Dataset, inherited: tuple[str, ...] = ("iso8859",)) -> None:
        """Take in a data set with all its items; values that were taken in before cost nothing."""
        codecs = encodings(dataset, inherited)
        maker = " ".join(text_value(dataset, tag) for tag in MAKER).casefold()
        for tag, (vr, value) in dataset.items():
            if isinstance(value, list):
                for item in value:
                    self.collect(item, codecs)
                continue
            if not isinstance(value, bytes) or not value:
                continue
            if tag in self.retained:
                if vr in _TEXT_VRS:
                    self.spared.update(word.folded for word in words(decode(value, vr, codecs)))
                continue
            if vr not in _HARVESTED and tag not in _LISTED:
                continue
            key = (tag, value)
            if key not in self._seen:
                self._seen.add(key)
                self._take(tag, vr, decode(value, vr, codecs), maker)

    def _take(self, tag: int, vr: str, text: str, maker: str) -> None:
        if vr == "PN":
            self._names(tag, text)
        elif tag in BIRTH_DATES:
            self._birth_date(tag, text.strip(" \0"))
        elif vr in {"DA", "DT"}:
            self._day(tag, text)
        elif tag in IDENTIFIERS or tag in LESS_SURE:
            for part in text.split("\\"):
                if tag not in ORGANIZATIONS or part.strip(" \0").casefold() not in maker:
                    self._value(tag, part.strip(" \0"))
        elif tag >> 16 & 1:
            self._private(tag, text.strip(" \0"))
        elif vr in _TEXT_VRS and _LABEL.search(text):
            self._labelled(tag, text)

    @property
    def _vocabulary(self) -> Vocabulary:
        return load_vocabulary()

    def _is_common(self, word: str) -> bool:
        return self._vocabulary.is_common(fold(word)) or word.upper() in self.body_parts

    def _names(self, tag: int, text: str, *, sure: bool = True) -> None:
        for string in name_strings(text, self._is_common):
            (self.strings if sure else self.hints).setdefault(string, tag)
        for word in words(text):
            if self._vocabulary.could_be_name(word.folded) and self._is_common(word.folded):
                self.weak.setdefault(word.folded, tag)

    def _value(self, tag: int, text: str) -> None:
        value = text.casefold()
        if len(value) < MIN_VALUE or (value.isdecimal() and len(value) < MIN_DIGITS):
            return
        found = words(text)
        if all(self._is_common(w.folded) for w in found) and (len(found) == 1 or tag in LESS_SURE):
            return
        (self.hints if tag in LESS_SURE else self.strings).setdefault(value, tag)
        if tag in NUMBERED:
            for word in found:
                core = word.folded.lstrip("0")
                if core.isdecimal() and len(core) >= MIN_CORE:
                    self.strings.setdefault(word.folded, tag)
                    self.strings.setdefault(core, tag)
        else:
            for word in found:
                distinctive = len(word.folded) >= MIN_VALUE and word.folded.isalpha()
                if distinctive and not self._vocabulary.knows(word.folded):
                    self.hints.setdefault(word.folded, tag)

    def _birth_date(self, tag: int, text: str) -> None:
        if len(text) != len(_NOT_A_BIRTH_DATE) or not text.isdecimal() or text == _NOT_A_BIRTH_DATE:
            return
        year, month, day = text[:4], text[4:6], text[6:]
        for form in (
            text,
            f"{year}-{month}-{day}",
            f"{day}.{month}.{year}",
            f"{day}/{month}/{year}",
            f"{month}/{day}/{year}",
        ):
            self.dates.setdefault(form, tag)
        self._day(tag, text)

    def _day(self, tag: int, text: str) -> None:
        for part in text.split("\\"):
            digits = part.strip(" \0")[:8]
            if len(digits) == len(_NOT_A_BIRTH_DATE) and digits.isdecimal():
                try:
                    self.days.setdefault(date(int(digits[:4]), int(digits[4:6]), int(digits[6:])), tag)
                except ValueError:
                    continue

    def _private(self, tag: int, text: str) -> None:
        if len(text) > _MAX_UNKNOWN or not _PRIVATE_NAME.fullmatch(text):
            return
        if not all(self._is_common(word.folded) for word in words(text)):
            self._names(tag, text, sure=False)

    def _labelled(self, tag: int, text: str) -> None:
        """Names and numbers that a text gives behind labels: looked for in all other texts."""
        for start, end, kind, _ in find_patterns(text, self._vocabulary):
            stretch = text[start:end]
            if kind == "name":
                self._names(tag, _TITLE.sub("", stretch), sure=False)
            elif kind == "number":
                value = re.split(r"[:=#\s]+", stretch)[-1].casefold()
                if len(value) >= MIN_DIGITS:
                    self.hints.setdefault(value, tag)


_TITLE: Final = re.compile(r"^.*[:=]\s*|(?<!\w)(?:Dr|Prof|Mrs?|Ms|Miss|Herrn?|Frau|med|DR|PROF)\b\.?\s*")
_HARVESTED: Final = _TEXT_VRS | {"PN", "DA", "DT", "UN"}
_LISTED: Final = IDENTIFIERS | LESS_SURE | BIRTH_DATES
