"""Dates, times and date-times as matching compares them, and ranges of them.

A date is `YYYYMMDD`, a time `HHMMSS.ffffff`, so that text compares as they do. A date-time is the
microseconds from the first day of year 1, in Coordinated Universal Time where its offset is known.

References
----------
PS3.5 §6.2 (DA, TM, DT); PS3.4 §C.2.2.2.1 (precision of keys), §C.2.2.2.5 (range matching).
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

EARLIEST: Final = {"DA": "00000000", "TM": "000000.000000"}
LATEST: Final = {"DA": "99999999", "TM": "235960.999999"}
FORMS: Final = {
    "DA": "YYYYMMDD",
    "TM": "HHMMSS.ffffff",
    "DT": "YYYYMMDDHHMMSS.ffffff&ZZXX",
}
_TIME: Final = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DATE: Final = re.compile(r"\d{8}", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4})(?:(0[1-9]|1[0-2])(?:(0[1-9]|[12]\d|3[01])(?:([01]\d|2[0-3])"
    r"(?:([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([+-])(\d{2})([0-5]\d)", re.ASCII)
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
#: Hours; a hyphen and four digits that say more are a range's end, a year.
_MAX_OFFSET_HOURS: Final = 14


def normal_date(value: Any) -> str:
    """`YYYYMMDD`, or "" where it is no date. ACR-NEMA's dots are taken off."""
    text = str(value).strip().replace(".", "")
    if not _DATE.fullmatch(text):
        return ""
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return ""
    return text


def normal_time(value: Any, filler: str = EARLIEST["TM"]) -> str:
    """`HHMMSS.ffffff`, or "" where it is no time; what is missing is taken from `filler`."""
    text = str(value).strip().replace(":", "")
    return text + filler[len(text) :] if _TIME.fullmatch(text) else ""


def offset_s(value: Any) -> float | None:
    """Seconds of an offset from UTC, `+0130` say, or `None` where it is none."""
    parts = _OFFSET.fullmatch(str(value).strip())
    if parts is None or int(parts[2]) > _MAX_OFFSET_HOURS:
        return None
    return (-1 if parts[1] == "-" else 1) * (int(parts[2]) * 3600.0 + int(parts[3]) * 60.0)


def moment(value: Any, default_offset_s: float = 0.0) -> tuple[int, int] | None:
    """First and last microsecond that a date-time stands for, by its precision; `None` where it is none."""
    parts = _MOMENT.fullmatch(str(value).strip())
    offset = default_offset_s if parts is None or parts[8] is None else offset_s(parts[8])
    if parts is None or offset is None:
        return None
    year, month, day = (int(part or 1) for part in parts.groups()[:3])
    hour, minute, second = (int(part or 0) for part in parts.groups()[3:6])
    fraction = parts[7] or ""
    try:
        first = date(year, month, day).toordinal() * _DAY
    except ValueError:
        return None
    first += (hour * 3600 + minute * 60 + second) * _SECOND + int(fraction.ljust(6, "0"))
    hour_length, minute_length = 3600 * _SECOND, 60 * _SECOND
    lengths = (
        (isleap(year) + 365) * _DAY,
        monthrange(year, month)[1] * _DAY,
        _DAY,
        hour_length,
        minute_length,
    )
    given = sum(part is not None for part in parts.groups()[:6])
    length = lengths[given - 1] if given <= len(lengths) else _SECOND // 10 ** len(fraction)
    first -= round(offset) * _SECOND
    return first, first + length - 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """Both ends of a key's range, included, in the normal form of its VR; a single value is a range too.

    Attributes
    ----------
    form
        `range`, `until` and `since` for `a-b`, `-b` and `a-`; `value` for a single value.
    """

    low: str
    high: str
    form: str


def read_bounds(vr: str, text: str) -> Bounds | None:
    """Read a DA or TM key; `None` where it is malformed."""
    low, dash, high = (part.strip() for part in text.partition("-"))
    if not dash:
        high = low
    first = _normal(vr, low, EARLIEST[vr]) if low else EARLIEST[vr]
    last = _normal(vr, high, LATEST[vr]) if high else LATEST[vr]
    if not first or not last or not (low or high):
        return None
    form = ("range" if low and high else "since" if low else "until") if dash else "value"
    return Bounds(first, last, form)


def _normal(vr: str, text: str, filler: str) -> str:
    return normal_date(text) if vr == "DA" else normal_time(text, filler)


def read_moments(text: str, default_offset_s: float = 0.0) -> tuple[float, float] | None:
    """Read a DT key as its first and last microsecond; `None` where it is malformed.

    A hyphen and four digits up to 1400 after a date-time are its offset from UTC; another hyphen parts
    the ends of a range.
    """
    text = text.strip()
    single = moment(text, default_offset_s)
    if single is not None:
        return single
    for dash in (i for i, c in enumerate(text) if c == "-"):
        low, high = text[:dash].strip(), text[dash + 1 :].strip()
        first = moment(low, default_offset_s) if low else (float("-inf"), 0)
        last = moment(high, default_offset_s) if high else (0, float("inf"))
        if first is not None and last is not None and (low or high):
            return first[0], last[1]
    return None
