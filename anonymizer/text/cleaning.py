"""Cleans text: what identifies somebody goes, medical words stay.

References
----------
PS3.15 §E.3.4, §E.3.5 (Clean Structured Content, Clean Descriptors).
"""

from __future__ import annotations

import re
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Final

from anonymizer.text.findings import Finding, without_overlaps
from anonymizer.text.known_words import KnownWords
from anonymizer.text.neighbours import unknown_names, with_neighbours
from anonymizer.text.patterns import find_patterns
from anonymizer.text.tidy import without
from anonymizer.text.vocabulary import load_vocabulary, standard_meanings
from anonymizer.text.words import fold, words
from anonymizer.text.written_dates import WrittenDate, find_dates, respell

if TYPE_CHECKING:
    from collections.abc import Callable

    from anonymizer.text.evidence import Evidence

__all__ = ["Finding", "TextCleaner"]

#: Texts that are remembered; beyond, each is read anew.
REMEMBERED: Final = 20_000
#: Rounds of cleaning; what was apart may stand together after the first.
_ROUNDS: Final = 8
#: Stands for a date that was written anew, while the rest is cleaned.
_KEPT: Final = "\ue000"
_HELD: Final = re.compile(_KEPT + r"(\d+)" + _KEPT)
_ANY_DAY: Final = date(2000, 2, 29)


class Dates(Enum):
    """What becomes of dates in text."""

    REMOVE = "remove"
    SHIFT = "shift"
    KEEP = "keep"


class TextCleaner:
    """Cleans the texts of one study; build it once a study, it remembers texts that come again.

    Parameters
    ----------
    evidence
        Identifiers of the whole study. Not taken over by reference: later additions do not count.
    aggressive
        For free text (Clean Descriptors): hints of the evidence, given names, and words that look like a
        name beside a finding go, too.
    date_shift
        Gives the date to write for one that is found, `None` to remove it (the default for all). Birth
        dates of the evidence are always removed.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        aggressive: bool = False,
        date_shift: Callable[[date], date | None] | None = None,
    ) -> None:
        self._aggressive = aggressive
        self._shift = date_shift
        moved = None if date_shift is None else date_shift(_ANY_DAY)
        self._dates = Dates.REMOVE if moved is None else Dates.KEEP if moved == _ANY_DAY else Dates.SHIFT
        self._vocabulary = load_vocabulary()
        self._known = KnownWords(evidence, hints=aggressive, days=self._dates is not Dates.KEEP)
        self._spared = frozenset(evidence.spared)
        self._remembered: dict[str, str] = {}

    def findings(self, text: str) -> list[Finding]:
        """What identifies somebody in a text, in order, without overlaps."""
        found = [*self._known.find(text), *find_patterns(text, self._vocabulary)]
        if self._dates is Dates.KEEP:
            found = [f for f in found if f.kind != "date" or self._known.is_birth_date(text[f.start : f.end])]
        if self._aggressive:
            found += [
                name
                for name in unknown_names(text, found, self._vocabulary)
                if not any(word.folded in self._spared for word in words(text[name.start : name.end]))
            ]
        if found and fold(text) in standard_meanings():
            return []
        return with_neighbours(text, without_overlaps(found), self._vocabulary)

    def clean(self, text: str) -> str:
        """The text without its findings, separators tidied; the same text where nothing is found."""
        cleaned = self._remembered.get(text)
        if cleaned is None:
            cleaned = self._clean(text)
            if len(self._remembered) < REMEMBERED:
                self._remembered[text] = cleaned
        return cleaned

    def residual(self, text: str) -> list[Finding]:
        """Findings of high certainty, for the check of an output.

        Known identifiers and birth dates, mail addresses, telephone numbers with a label, identity numbers
        with a valid check digit, ages over 89, and dates where dates must be gone.
        """
        return [
            finding
            for finding in self.findings(text)
            if finding.certain and (finding.kind != "date" or self._must_be_gone(text, finding))
        ]

    def _must_be_gone(self, text: str, finding: Finding) -> bool:
        return self._dates is Dates.REMOVE or self._known.is_birth_date(text[finding.start : finding.end])

    def _clean(self, text: str) -> str:
        held: list[str] = []
        source = text
        if self._dates is Dates.SHIFT and _KEPT not in text:
            text = self._shifted(text, held)
        for _ in range(_ROUNDS):
            found = [f for f in self.findings(text) if _KEPT not in text[f.start : f.end]]
            if not found:
                break
            text = without(text, found)
        else:
            text = ""
        cleaned = _HELD.sub(lambda match: held[int(match[1])], text) if held else text
        return source if cleaned == source else cleaned

    def _shifted(self, text: str, held: list[str]) -> str:
        """The text with placeholders for dates that are written anew; the others are left to be found."""
        pieces: list[str] = []
        position = 0
        for written in find_dates(text):
            written = self._known.reading(written)
            moved = self._moved(text, written)
            if moved is not None:
                pieces += [text[position : written.start], f"{_KEPT}{len(held)}{_KEPT}"]
                held.append(respell(text, written, moved))
                position = written.end
        return "".join([*pieces, text[position:]])

    def _moved(self, text: str, written: WrittenDate) -> date | None:
        doubtful = written.value is None or (
            written.other is not None and not self._known.is_day(written.value)
        )
        if doubtful or self._known.is_birth_date(text[written.start : written.end]):
            return None
        return self._shift(written.value) if self._shift is not None and written.value else None
