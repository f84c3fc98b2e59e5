"""What sites and makers write about a series, as plain words to look for.

Descriptions survive the option Clean Descriptors of de-identification with names taken out; without that
option they are gone, and only what images tell by numbers and codes is known.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from inference.attributes import PROTOCOL_NAME, SEQUENCE_NAME, SERIES_DESCRIPTION, texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Signs that words are made of; the others only part them.
_SIGNS = (
    (r"T2\s*\*", " T2STAR "),
    (r"\bC\s*\+|\+\s*(?:C|KM|GD|MDC|IV)\b", " WITHAGENT "),
    (r"W\s*/\s*O\b", " WITHOUT "),
)


def plain(text: str) -> str:
    """Upper case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.upper())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def plain_words(text: str) -> str:
    """Letters and digits in words with one space between them and one at both ends."""
    found = plain(text)
    for pattern, word in _SIGNS:
        found = re.sub(pattern, word, found)
    return f" {' '.join(re.findall(r'[A-Z0-9]+', found))} "


def series_words(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Series Description, then Protocol Name, then Sequence Name, as plain words; those that are there."""
    written = (" ".join(texts(attributes, tag)) for tag in (SERIES_DESCRIPTION, PROTOCOL_NAME, SEQUENCE_NAME))
    return tuple(plain_words(text) for text in written if text)


def word_pattern(*alternatives: str) -> re.Pattern[str]:
    """Finds one of the alternatives (regular expressions) as a whole word in `plain_words`."""
    return re.compile(rf"(?<= )(?:{'|'.join(alternatives)})(?= )")
