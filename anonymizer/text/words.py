"""Words of a text, folded so that spellings of the same name meet.

References
----------
Unicode Standard Annex #15 (compatibility decomposition).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

#: Marks and invisible characters that belong to the letter before them.
INSIDE: Final = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
_WORD: Final = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{INSIDE}])*|\d+")
_CAMEL: Final = re.compile(r"(?<=[a-zà-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
#: Spellings of letters where the keyboard lacks them.
_TRANSLITERATED: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "ñ": "n"}
)
_WRITTEN_OUT: Final = re.compile(r"(?<=[^aeq])ue|(?<=[^aeiou])oe|(?<=[^aeiou])ae")
#: Letters without a decomposition.
_BASE: Final = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)


class Word(NamedTuple):
    """A run of letters or of digits in a text: where it stands and its folded form."""

    start: int
    end: int
    folded: str


def fold(text: str) -> str:
    """Lower case without accents and invisible characters."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text)).casefold()
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_BASE)


def spellings(word: str) -> set[str]:
    """Folded forms of a word: accents dropped, or written out as in `Mueller`, or back from that."""
    lower = unicodedata.normalize("NFC", word).casefold()
    forms = {fold(word), fold(lower.translate(_TRANSLITERATED))}
    return forms | {_WRITTEN_OUT.sub(lambda match: match.group()[0], form) for form in forms}


def words(text: str) -> list[Word]:
    """Runs of letters and runs of digits, in order."""
    return [Word(m.start(), m.end(), fold(m.group())) for m in _WORD.finditer(text)]


def camel_words(text: str, word: Word) -> list[Word]:
    """The parts of a word written as in `KneeMiller`; empty where it has but one."""
    cuts = [match.start() + word.start for match in _CAMEL.finditer(text[word.start : word.end])]
    if not cuts:
        return []
    ends = [*cuts, word.end]
    return [Word(s, e, fold(text[s:e])) for s, e in zip([word.start, *cuts], ends, strict=True)]
