"""Finds dates in text in the spellings of several countries, and writes another date in the same spelling.

Only what is a date beyond reasonable doubt counts: `10-20-30`, `3.4.10` or `2000/10` may as well be
electrodes, a version, or repetition and echo time. Such a form counts behind a word like `born` or `am`.

References
----------
PS3.5 §6.2 (DA, DT); ISO 8601-1.
"""

# ruff: noqa: E501  # a pattern in two lines is harder to check than a long one
from __future__ import annotations

import re
from datetime import date
from functools import cache
from typing import Final, NamedTuple

#: By language: the months in full, then short.
_MONTHS: Final = tuple(
    tuple(line.split())
    for line in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jänner feber mrz apr mai jun jul aug sept okt nov dez",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "janv févr mars avr mai juin juil août sept oct nov déc",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "ene feb mar abr may jun jul ago sep oct nov dic",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    )
)
_NUMBERS: Final = {name: number for names in _MONTHS for number, name in enumerate(names, 1)}
#: Full names, long enough to stand without a year.
_FULL: Final = sorted(
    (n for n in _NUMBERS if len(n) > 4 and n not in {"march", "maart", "marzo", "março"}), key=len
)
_ANY: Final = "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
_DAY: Final = "|".join(n for n in _NUMBERS if len(n) > 3 or n in {"may", "mai", "mei"})
_LONG: Final = "|".join(map(re.escape, reversed(_FULL)))
_YEAR4: Final = r"(?:18[89]|19\d|20\d)\d"
_DD: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MM: Final = r"(?:0?[1-9]|1[0-2])"
_DD2: Final = r"(?:0[1-9]|[12]\d|3[01])"
_MM2: Final = r"(?:0[1-9]|1[0-2])"
_TIME: Final = (
    r"(?:[ ,T_-]{0,2}(?:at |um )?(?:[01]?\d|2[0-3])[:.h][0-5]\d(?:[:.][0-5]\d(?:[.,]\d{1,6})?)?(?: ?(?:[ap]\.?m\b\.?|uhr\b|h\b))?"
    r"|[T_ -]?(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\.\d{1,6})?(?:[+-]\d{4})?(?!\d))?(?:Z\b|[+-]\d\d:?\d\d\b)?"
)
#: Words behind which a doubtful form is a date.
_LABEL: Final = (
    r"\b(?:born|birth|dob|d\.o\.b\.?|b\.|geb\.?|geboren|geburtsdatum|né|née|nac\.?|nacido|nacida|nacimiento|nato|nata|datum|date|dated"
    r"|fecha|data|vom|am|du|le|del|dd|d\.d\.|on|since|seit|from|bis|until|thru|prior|voraufnahme|exam|study)\s*(?:on |am |le |el )?[:=*]?\s*"
)
_FORMS: Final[dict[str, str]] = {
    # name: pattern with groups y, m, d (or month name in n)
    "iso": rf"(?<![\d.])(?P<y>{_YEAR4})(?P<s>[-./_])(?P<m>{_MM})(?P=s)(?P<d>{_DD})(?!\d)(?P<t>{_TIME})",
    "compact": rf"(?<![\d.])(?P<y>(?:19|20)\d\d)(?P<m>{_MM2})(?P<d>{_DD2})(?!\d)(?P<t>{_TIME})",
    "kanji": r"(?<!\d)(?P<y>(?:19|20)\d\d)[年년]\s?(?P<m>\d{1,2})[月월]\s?(?P<d>\d{1,2})[日일]",
    "stamp": rf"(?<![\d.])(?P<y>(?:19|20)\d\d)(?P<m>{_MM2})(?P<d>{_DD2})"
    r"(?P<t>(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?:\.\d{1,6})?(?:[+-]\d{4})?)(?![\d.])",
    "dmy": rf"(?<![\d./])(?:(?<!\d-)|(?=\d\d?[./]))(?P<d>{_DD})(?P<s>[./-]|\. |, ?)(?P<m>{_MM})(?P=s)(?P<y>{_YEAR4})(?!\d)(?P<t>{_TIME})",
    "mdy": rf"(?<![\d./])(?:(?<!\d-)|(?=\d\d?[./]))(?P<m>{_MM})(?P<s>[./-])(?P<d>{_DD})(?P=s)(?P<y>{_YEAR4})(?!\d)(?P<t>{_TIME})",
    "dmy2": rf"(?<![^\W_])(?<![./])(?:(?<!\d-)|(?=\d\d?[./]))(?P<d>{_DD2})(?P<s>[./])(?P<m>{_MM2})(?P=s)(?P<y>\d\d)(?![\w/]|\.\d)(?P<t>{_TIME})",
    "mdy2": rf"(?<![^\W_])(?<![./])(?:(?<!\d-)|(?=\d\d?[./]))(?P<m>{_MM})(?P<s>/)(?P<d>{_DD})/(?P<y>\d\d)(?![\w/]|\.\d)(?P<t>{_TIME})",
    "mdy2dash": rf"(?<![^\W_])(?<![./-])(?:(?=0)|(?=\d\d-0))(?P<m>{_MM2})-(?P<d>{_DD2})-(?P<y>\d\d)(?![\w-]|[./]\d)(?P<t>{_TIME})",
    "named": rf"(?<!\d)(?P<d>{_DD})(?:st|nd|rd|th|er|º|\.)?(?P<s>[ ./-]{{0,2}})(?:de |of )?(?P<n>{_ANY})\.?"
    rf"[ .,/-]{{0,2}}(?:de |del )?(?P<y>{_YEAR4}|'\d\d)(?!\d)(?P<t>{_TIME})",
    "named2": rf"(?<![^\W_])(?<!\.)(?P<d>{_DD})(?P<s>[-/ ]?)(?P<n>{_ANY})(?P=s)(?P<y>\d\d)(?!\w|\.\d)(?P<t>{_TIME})",
    "us": rf"(?<![^\W_])(?P<n>{_ANY})\.? ?(?P<d>{_DD})(?:st|nd|rd|th)?(?:, ?| )(?P<y>{_YEAR4})(?!\d)(?P<t>{_TIME})",
    "month": rf"(?<![^\W_])(?P<n>{_ANY})\.?(?: de |[ ,/'-]{{1,2}})(?P<y>{_YEAR4})(?![\d.])",
    "day": rf"(?<![^\W_])(?<!\.)(?P<d>{_DD})(?:st|nd|rd|th|er|\.)? (?:de |of )?(?P<n>{_DAY})(?!\w)",
    "usday": rf"(?<![^\W_])(?P<n>{_LONG}) (?P<d>{_DD})(?:st|nd|rd|th)?(?![\w.]|[ ]?(?:mm|cm|ml|min|s)\b)",
    "mm/yyyy": rf"(?<![^\W_])(?<![./-])(?P<m>{_MM2})/(?P<y>(?:19|20)\d\d)(?![\w/]|\.\d| ?ms)",
    "labelled": rf"{_LABEL}(?P<d>{_DD})(?P<s>[./-])(?P<m>{_MM})(?P=s)(?P<y>{_YEAR4}|\d\d)(?![\d])(?P<t>{_TIME})",
    "labelled_y": r"\b(?:born(?: in)?|dob|geb(?:oren)?\.?|jg\.?|jahrgang|née? en|nacid[oa] en)[: ]{1,2}(?P<y>(?:19|20)\d\d)(?!\d)",
}
_NEEDS_MONTH_NAME: Final = frozenset({"named", "named2", "us", "month", "day", "usday"})
_BEFORE: Final = re.compile(r"(?<![^\W\d_])(?:te|tr|ti|matrix|fov|version|v|vb|va|sw)[ =:/]*$", re.IGNORECASE)
#: Forms whose day and month may stand the other way round.
_DAY_OR_MONTH: Final = frozenset({"dmy", "mdy", "dmy2", "mdy2", "mdy2dash", "labelled"})
#: Names of months that are words, too: in a date without year they begin with a capital letter.
_WORDS_TOO: Final = frozenset({"may", "march"})
#: Of a date in numbers, as in `5.4.31`.
_FEWEST_DIGITS: Final = 4
_FULL_YEAR: Final = 4
_DECEMBER: Final = 12
_LETTERS: Final = re.compile(r"[^\W\d_]{3}")
#: Two-digit years up to this one belong to our century.
_PIVOT: Final = 30


class WrittenDate(NamedTuple):
    """A date as it stands in a text.

    Attributes
    ----------
    value
        `None` where day, month or year is missing.
    other
        The second reading of a date whose day and month may be exchanged.
    certain
        Whether the form alone proves it: two-digit years and doubtful forms do not.
    fields
        (start, end, letter) of its parts, by position: y, m, d numbers, n the month's name.
    """

    start: int
    end: int
    value: date | None
    certain: bool
    fields: tuple[tuple[int, int, str], ...]
    other: date | None = None

    def exchanged(self) -> WrittenDate:
        """The date in its second reading."""
        swap = {"m": "d", "d": "m"}
        fields = tuple((start, end, swap.get(letter, letter)) for start, end, letter in self.fields)
        return self._replace(value=self.other, other=self.value, fields=fields)


@cache
def _compiled() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _FORMS.items()}


def find_dates(text: str) -> list[WrittenDate]:
    """Dates of a text, in order, without overlaps; the longer reading of two wins."""
    digits = sum(map(str.isdigit, text))
    if not digits:
        return []
    letters = _LETTERS.search(text) is not None
    found: list[WrittenDate] = []
    for name, pattern in _compiled().items():
        named = name in _NEEDS_MONTH_NAME
        if (digits < _FEWEST_DIGITS and not named) or (
            not letters and (named or name.startswith("labelled"))
        ):
            continue
        for match in pattern.finditer(text):
            written = _written(name, match)
            if written is not None and not _BEFORE.search(text, 0, written.start):
                found.append(written)
    found.sort(key=lambda w: (w.start, -w.end, not w.certain))
    kept: list[WrittenDate] = []
    for written in found:
        if not kept or written.start >= kept[-1].end:
            kept.append(written)
    return kept


def _written(name: str, match: re.Match[str]) -> WrittenDate | None:
    groups = match.groupdict()
    fields = tuple(
        sorted((*match.span(key), key) for key in ("y", "m", "d", "n") if groups.get(key) is not None)
    )
    start = fields[0][0]
    end = match.end() if not match.group().endswith(" ") else match.start() + len(match.group().rstrip())
    if name == "labelled_y":
        return WrittenDate(start, end, None, False, fields)
    year_text = (groups.get("y") or "").lstrip("'")
    year = int(year_text) if year_text else 0
    if len(year_text) < _FULL_YEAR:
        year += 2000 if year <= _PIVOT else 1900
    month = _NUMBERS[groups["n"].lower()] if groups.get("n") else int(groups["m"])
    if name == "day" and groups["n"].lower() in _WORDS_TOO and groups["n"].islower():
        return None
    if "d" not in groups or not year_text:
        return WrittenDate(start, end, None, bool(year_text), fields)
    day = int(groups["d"])
    try:
        value = date(year, month, day)
    except ValueError:
        return None
    certain = len(year_text) == _FULL_YEAR and name != "labelled"
    doubtful = name in _DAY_OR_MONTH and groups.get("s") != "." and day <= _DECEMBER and day != month
    other = date(year, day, month) if doubtful else None
    return WrittenDate(start, end, value, certain, fields, other)


def respell(text: str, written: WrittenDate, value: date) -> str:
    """The stretch of a text with another date in the same spelling; what stands around its parts stays."""
    pieces: list[str] = []
    position = written.start
    for start, end, letter in written.fields:
        old = text[start:end]
        pieces += [text[position:start], _part(letter, old, value)]
        position = end
    return "".join([*pieces, text[position : written.end]])


def _part(letter: str, old: str, value: date) -> str:
    if letter == "n":
        return _month_name(old, value.month)
    if letter == "y":
        quote = "'" if old.startswith("'") else ""
        return quote + (f"{value.year % 100:02}" if len(old) - len(quote) == 2 else f"{value.year:04}")
    number = value.month if letter == "m" else value.day
    return f"{number:02}" if len(old) == 2 else str(number)


def _month_name(old: str, month: int) -> str:
    """The month's name in the language and length of another one's."""
    names = next(names for names in _MONTHS if old.lower() in names)
    name = names[month - 1]
    if old.isupper():
        return name.upper()
    return name.capitalize() if old[0].isupper() else name
