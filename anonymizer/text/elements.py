"""Cleans the text of elements: decodes, lets a cleaner read it, encodes again.

Most texts of a series come in every instance; what became of each is remembered.

References
----------
PS3.5 §6.1, §6.2 (character repertoires, padding); PS3.15 §E.3.5 (Clean Descriptors).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydicom.charset import encode_string

from anonymizer.codec import Element
from anonymizer.text.encoding import ENCODED_VRS, SINGLE_VRS, decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from anonymizer.text.cleaning import TextCleaner
    from anonymizer.text.evidence import Evidence

#: Texts that are remembered; beyond, each is read anew.
REMEMBERED: Final = 20_000
#: Digits; shorter ones are doses, distances and counts by chance.
MIN_NUMBER: Final = 6


class KnownOnly:
    """Takes known identifiers out of text of fixed form, whose digits and words mean other things."""

    def __init__(self, evidence: Evidence) -> None:
        known = sorted([*evidence.strings, *evidence.dates], key=len, reverse=True)
        pattern = "|".join(map(re.escape, known)) if known else "(?!)"
        self._known = re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", re.IGNORECASE)

    def clean(self, text: str) -> str:
        """The text without them."""
        return self._known.sub("", text).strip() if self._known.search(text) else text


class ElementText:
    """Cleans text elements of one patient's study. Thread-safe.

    Parameters
    ----------
    scan
        For text in general.
    free
        For free text.
    evidence
        What the cleaners know.

    Attributes
    ----------
    known_numbers
        Identifiers that consist of digits only, long enough to be no measurement.
    """

    def __init__(self, scan: TextCleaner, free: TextCleaner, evidence: Evidence) -> None:
        self.evidence = evidence
        self.known_numbers = frozenset(
            text.encode()
            for text in (*evidence.strings, *evidence.dates)
            if text.isdecimal() and len(text) >= MIN_NUMBER
        )
        self._scan = scan
        self._cleaners: dict[str, Callable[[str], str]] = {
            "scan": scan.clean,
            "free": free.clean,
            "known": KnownOnly(evidence).clean,
        }
        self._remembered: dict[tuple[bytes, str, tuple[str, ...], str], bytes] = {}
        self._checked: set[str] = set()

    def clean(self, element: Element, codecs: tuple[str, ...], how: str) -> Element:
        """The element without what identifies somebody; the same object where nothing was found.

        Parameters
        ----------
        how
            `scan`, `free` or `known` (identifiers that are known, nothing else).
        """
        value = element.value
        if not isinstance(value, bytes) or not value:
            return element
        key = (value, element.vr, codecs, how)
        cleaned = self._remembered.get(key)
        if cleaned is None:
            cleaned = self._cleaned(value, element.vr, codecs, how)
            if len(self._remembered) < REMEMBERED:
                self._remembered[key] = cleaned
        return element if cleaned == value else Element(element.vr, cleaned)

    def residual(self, text: str) -> str | None:
        """The kind of the first thing in an output's text that surely identifies, or `None`."""
        if text in self._checked:
            return None
        found = self._scan.residual(text)
        if found:
            return found[0].kind
        if len(self._checked) < REMEMBERED:
            self._checked.add(text)
        return None

    def _cleaned(self, value: bytes, vr: str, codecs: tuple[str, ...], how: str) -> bytes:
        # Behind a NUL there is padding, or something that most readers never show.
        head, nul, tail = value.partition(b"\0")
        if nul and tail.strip(b" \0"):
            value = head
        text = decode(value, vr, codecs).rstrip(" \0")
        if _is_garbled(value, text, vr, codecs):
            return b""  # nobody can tell whom it names
        parts = [text] if vr in SINGLE_VRS else text.split("\\")
        cleaned = list(map(self._cleaners[how], parts))
        return value if cleaned == parts else _encode("\\".join(cleaned), codecs)


def _is_garbled(value: bytes, text: str, vr: str, codecs: tuple[str, ...]) -> bool:
    """Whether the declared character sets do not explain the bytes."""
    if value.isascii() or vr not in ENCODED_VRS:
        return False
    if "\ufffd" in text:
        return True
    # With code extensions the first set is ASCII until an escape sequence says otherwise (PS3.5 §6.1.2.5).
    return len(codecs) > 1 and codecs[0] == "iso8859" and not value.partition(b"\x1b")[0].isascii()


def _encode(text: str, codecs: tuple[str, ...]) -> bytes:
    if text.isascii():
        return text.encode("ascii")
    try:
        return encode_string(text, list(codecs))
    except (UnicodeError, LookupError, UserWarning):
        return text.encode("ascii", "replace").replace(b"?", b" ")
