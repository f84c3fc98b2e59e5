"""Person names as matching compares them: component groups, words, and how words sound.

Literal matching compares whole component groups without regard to case. Fuzzy matching, whose way PS3.4
leaves to the implementation, compares words: each word of the key, in any order, must be one of the
name's. Words are what stands between carets, equals signs, spaces, hyphens, apostrophes and the like, in
any component of any group, without case and diacritics. A key's word matches a name's word that begins
with it, that fits it as a pattern where it has wild cards, or that sounds like it. Only Latin words have
a sound (American Soundex, with letters at the beginning that are spoken alike taken as one), so that
ideographic and phonetic groups are compared by their beginnings; full and half width, and the two
syllabaries of Japanese, are taken as one.

References
----------
PS3.5 §6.2.1 (person names); PS3.4 §C.2.2.2.1 and C.2.2.2.4; PS3.18 §8.3.4.2.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
#: Letters that do not fall apart into a base letter and a mark.
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h"}
)
#: Katakana to hiragana.
_KANA: Final = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_APART: Final = re.compile(r"[^\w*?]+|_+")
_SILENT: Final = ("kn", "gn", "pn", "wr", "ps")
_SPOKEN: Final = {"ph": "f", "c": "k", "q": "k", "j": "i", "y": "i", "v": "f", "w": "f", "z": "s"}
_CLASSES: Final = {
    letter: digit
    for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1)
    for letter in letters
}
#: Words shorter than this have no sound of their own.
_MIN_SOUND: Final = 3
#: Characters of a word or group that are kept; longer ones do not occur in names.
MAX_LENGTH: Final = 256


def component_groups(value: Any) -> list[str]:
    """The alphabetic, ideographic and phonetic group of a name in DICOM JSON; those missing are ""."""
    if isinstance(value, dict):
        return [str(value.get(group) or "") for group in GROUPS]
    groups = str(value).split("=")[: len(GROUPS)]
    return groups + [""] * (len(GROUPS) - len(groups))


def literal(group: str) -> str:
    """A component group as literal matching compares it: case-folded, no empty components at its end."""
    return group.casefold().rstrip("^ ").strip()[:MAX_LENGTH]


def words(text: str) -> list[str]:
    """The folded words of a name or key, each once; a key's words keep their wild cards."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(c for c in folded if not "\u0300" <= c <= "\u036f").translate(_LETTERS)
    spoken = unicodedata.normalize("NFC", bare).translate(_KANA)
    return list(dict.fromkeys(word[:MAX_LENGTH] for word in _APART.split(spoken) if word))


def sound(word: str) -> str:
    """How a folded Latin word sounds; "" for one that is short or in another script."""
    if len(word) < _MIN_SOUND or not (word.isascii() and word.isalpha()):
        return ""
    if word.startswith(_SILENT):
        word = word[1:]
    first = _SPOKEN["ph"] if word.startswith("ph") else _SPOKEN.get(word[0], word[0])
    digits: list[int] = []
    last = _CLASSES.get(word[0], 0)
    for letter in word[1:]:
        digit = _CLASSES.get(letter, 0)
        if digit and digit != last:
            digits.append(digit)
        # H and W do not part letters that sound alike; vowels do.
        if letter not in "hw":
            last = digit
    return first + "".join(str(digit) for digit in digits[:3]).ljust(3, "0")


def key_words(key: str) -> list[str]:
    """The words of a key that say something: those of wild cards alone are left out."""
    return [word for word in words(key) if word.strip("*?")]


def bare_word(word: str) -> str:
    """A key's word whose only wild cards are asterisks around it, without them; else ""."""
    bare = word.strip("*")
    return "" if "*" in bare or "?" in bare else bare
