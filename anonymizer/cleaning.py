"""Cleans text: what identifies somebody goes, medical words stay.

References
----------
PS3.15 §E.3.4, §E.3.5 (Clean Structured Content, Clean Descriptors).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anonymizer.patterns import Finding, find_patterns

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from anonymizer.evidence import Evidence

__all__ = ["Finding", "TextCleaner"]


class TextCleaner:
    """Cleans the texts of one study; build it once a study, it remembers texts that come again.

    Parameters
    ----------
    evidence
        Identifiers of the whole study. Not taken over by reference: later additions do not count.
    aggressive
        For free text (Clean Descriptors): words that look like a name beside a finding go, too.
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
        self._date_shift = date_shift
        known = sorted([*evidence.strings, *evidence.dates], key=len, reverse=True)
        self._known = re.compile(
            r"(?<![^\W_])(?:" + "|".join(map(re.escape, known)) + r")(?![^\W_])" if known else r"(?!)",
            re.IGNORECASE,
        )

    def findings(self, text: str) -> list[Finding]:
        """What identifies somebody in a text, in order, without overlaps."""
        known = [Finding(m.start(), m.end(), "identifier") for m in self._known.finditer(text)]
        return known or find_patterns(text)

    def clean(self, text: str) -> str:
        """The text without its findings, separators tidied; the same text where nothing is found."""
        found = self.findings(text)
        if not found:
            return text
        for start, end, _ in reversed(found):
            text = text[:start] + text[end:]
        return self.clean(text.strip(" ,;:-_/"))

    def residual(self, text: str) -> list[Finding]:
        """Findings of high certainty, for the check of an output: see `findings`."""
        return self.findings(text)
