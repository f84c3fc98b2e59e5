"""Finds the strings of the evidence in text, however they are separated, written or joined.

Texts and strings are compared as sequences of words and numbers: `DOE^JOHN`, `Doe, John` and `doe_john` are
the same sequence. Words written as in `KneeMiller` are looked at in parts as well.

References
----------
PS3.5 §6.2.1 (person names).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from anonymizer.text.findings import Finding
from anonymizer.text.identifying_tags import BIRTH_DATES
from anonymizer.text.names import DENSE, MIN_DIGITS
from anonymizer.text.vocabulary import load_vocabulary
from anonymizer.text.words import Word, camel_words, fold, spellings, words
from anonymizer.text.written_dates import WrittenDate, find_dates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anonymizer.text.evidence import Evidence

#: Characters between two words of a known string, at most.
_MAX_GAP: Final = 4
#: Letters that are left of a name that was cut off.
_MIN_CUT: Final = 4
_INITIAL_MARK: Final = frozenset(".,^'\u2019")
_SHORT: Final = 3
_TITLE: Final = re.compile(r"(?<![^\W_])(?:dr|prof|mrs|herrn?|frau|mme|sra)[. ]{1,2}$", re.IGNORECASE)
_NEXT_WORD: Final = re.compile(r" [^\W\d_]")
_MIN_GENITIVE: Final = 4
#: Letters of a spelling that is not the given one.
_MIN_RESPELLED: Final = 5


class KnownWords:
    """The strings of an evidence, ready to be looked for.

    Parameters
    ----------
    hints
        Whether hints are looked for, too.
    days
        Whether the dates of the study are looked for; birth dates always are.
    """

    def __init__(self, evidence: Evidence, *, hints: bool, days: bool) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
        self._dense: list[str] = []
        for string in evidence.strings:
            self._add(string, certain=True)
        for string in evidence.hints if hints else ():
            self._add(string, certain=False)
        self._weak = frozenset(evidence.weak)
        self._free = hints
        self._births = {day for day, tag in evidence.days.items() if tag in BIRTH_DATES}
        self._days = set(evidence.days)
        for day in self._days:
            born = day in self._births
            if not (born or days):
                continue
            year, month, date = f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
            for form in (date + month + year, month + date + year):
                self._insert((form,), certain=born)
            for form in (year[2:] + month + date, date + month + year[2:], month + date + year[2:]):
                self._insert((form,), certain=False)
            if born:
                self._insert((str(day.day), str(day.month), year[2:]), certain=False)
                self._insert((str(day.month), str(day.day), year[2:]), certain=False)
        names = (string for string in evidence.strings if string.isalpha() and len(string) > _MIN_CUT)
        self._beginnings = {
            fold(name)[:length] for name in names for length in range(_MIN_CUT, len(fold(name)))
        }
        for forms in self._phrases.values():
            forms.sort(key=lambda form: -len(form[0]))

    def _add(self, string: str, *, certain: bool) -> None:
        if DENSE.search(string):
            self._dense.append(fold(string))
            return
        plain = fold(string)
        vocabulary = load_vocabulary()
        for spelling in spellings(string):
            if spelling != plain and (len(spelling) < _MIN_RESPELLED or vocabulary.is_common(spelling)):
                continue
            sequence = tuple(word.folded for word in words(spelling))
            self._insert(sequence, certain=certain)
            if len(sequence) == 1 and sequence[0].isdecimal() and len(sequence[0].lstrip("0")) >= MIN_DIGITS:
                self._insert((sequence[0].lstrip("0"),), certain=certain)

    def _insert(self, sequence: tuple[str, ...], *, certain: bool) -> None:
        if sequence:
            forms = self._phrases.setdefault(sequence[0], [])
            if (sequence, certain) not in forms:
                forms.append((sequence, certain))

    def is_birth_date(self, text: str) -> bool:
        """Whether a text writes a birth date of the evidence."""
        return any({w.value, w.other} & self._births for w in find_dates(text) if w.value)

    def is_day(self, day: object) -> bool:
        """Whether a date occurs in the study."""
        return day in self._days

    def reading(self, written: WrittenDate) -> WrittenDate:
        """A date in that of its readings which occurs in the study, if only one does."""
        if written.other in self._days and written.value not in self._days:
            return written.exchanged()
        return written

    def find(self, text: str) -> list[Finding]:
        """Known strings of a text, unordered."""
        if not (self._phrases or self._dense or self._weak):
            return []
        found_words = words(text)
        found = self._sequences(text, found_words)
        found += [
            Finding(word.start, word.end, "hint")
            for word in found_words
            if word.folded in self._weak and self._is_name_here(text, word)
        ]
        for word in found_words:
            parts = camel_words(text, word)
            if parts:
                found += self._sequences(text, parts, inside=True)
        if found_words and found_words[-1].folded in self._beginnings:
            found += self._cut_off(text, found_words[-1])
        if self._dense and not text.isascii():
            found += self._dense_strings(text)
        return found

    def _sequences(self, text: str, line: Sequence[Word], *, inside: bool = False) -> list[Finding]:
        found: list[Finding] = []
        for index, word in enumerate(line):
            for forms in (self._phrases.get(word.folded), self._phrases.get(_stem(word, text))):
                for sequence, certain in forms or ():
                    last = index + len(sequence) - 1
                    if self._matches(text, line, index, sequence) and (
                        inside or len(sequence) > 1 or _stands_alone(text, word)
                    ):
                        found.append(Finding(word.start, line[last].end, _kind(certain=certain), certain))
                        break
        return found

    @staticmethod
    def _matches(text: str, line: Sequence[Word], index: int, sequence: tuple[str, ...]) -> bool:
        if index + len(sequence) > len(line):
            return False
        initials = all(map(str.isalpha, sequence)) and any(len(part) == 1 for part in sequence)
        gaps = ""
        for offset in range(1, len(sequence)):
            before, word = line[index + offset - 1], line[index + offset]
            if word.folded != sequence[offset] and _stem(word, text) != sequence[offset]:
                return False
            gap = text[before.end : word.start]
            if len(gap) > _MAX_GAP or "\n\n" in gap:
                return False
            gaps += gap
        return not initials or len(sequence) == 1 or bool(_INITIAL_MARK & set(gaps))

    def _is_name_here(self, text: str, word: Word) -> bool:
        """Whether a word that is a name, too, is meant as one: it has a title, or no word follows it."""
        if _TITLE.search(text[: word.start]):
            return True
        alone = self._free and word.end - word.start > _SHORT and text[word.start].isupper()
        return alone and _NEXT_WORD.match(text, word.end) is None

    def _cut_off(self, text: str, last: Word) -> list[Finding]:
        """A name that was cut where a field ended."""
        if last.end < len(text.rstrip()) or load_vocabulary().knows(last.folded):
            return []
        return [Finding(last.start, last.end, "hint")]

    def _dense_strings(self, text: str) -> list[Finding]:
        """Names in scripts without spaces; positions hold where folding keeps the length."""
        folded = [fold(character) or " " for character in text]
        starts = [i for i, f in enumerate(folded) for _ in f]
        flat = "".join(folded)
        return [
            Finding(starts[m.start()], starts[m.end() - 1] + 1, "identifier", certain=True)
            for string in self._dense
            for m in re.finditer(re.escape(string), flat)
        ]


def _kind(*, certain: bool) -> str:
    return "identifier" if certain else "hint"


def _stem(word: Word, text: str) -> str:
    """A number without leading zeros; a name without the s of its genitive."""
    if word.folded.isdecimal():
        return word.folded.lstrip("0")
    if word.folded[-1] == "s" and len(word.folded) > _MIN_GENITIVE and text[word.end - 1].islower():
        return word.folded[:-1]
    return ""


def _stands_alone(text: str, word: Word) -> bool:
    """Whether a short word has neither letter nor digit beside it: `Tso` is not looked for in `tso3d`."""
    if word.end - word.start > _SHORT:
        return True
    before = text[word.start - 1 : word.start]
    return not (before.isalnum() or text[word.end : word.end + 1].isalnum())
