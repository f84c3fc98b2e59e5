"""Dates: a shift in whole days, the same for everything of a patient.

Intervals stay what they were, across instances, studies and restarts; times of day do not change.

References
----------
PS3.15 §E.3.6 (Retain Longitudinal Temporal Information with Modified Dates); PS3.5 §6.2 (DA, DT, TM).
"""

from __future__ import annotations

import hmac
import re
from datetime import date, timedelta
from typing import Final

from anonymizer.uids import subkey

#: Days; a shift is never shorter, so that no date stays near the original.
SHORTEST: Final = 365
#: Days; ten years back are enough to hide in and keep the equipment plausible.
LONGEST: Final = 3650
_DATE: Final = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})")
_DATETIME: Final = re.compile(r"(\d{8})((?:\d{2}){0,3}(?:\.\d{1,6})?)([+-]\d{4})?")
_TIME: Final = re.compile(r"\d{2}(?::?\d{2}(?::?\d{2}(?:\.\d{1,6})?)?)?")


class DateMapper:
    """Derives the shift of a patient from a key.

    Parameters
    ----------
    key
        As for `anonymizer.uids.UidMapper`; the same key may serve both.
    """

    def __init__(self, key: bytes) -> None:
        self._key = subkey(key, "date-shift")

    def days(self, patient: str) -> int:
        """Whole days to add: between -3650 and -365, by the patient's pseudonym."""
        digest = hmac.digest(self._key, patient.encode(), "sha256")
        return -(SHORTEST + int.from_bytes(digest[:8], "big") % (LONGEST - SHORTEST + 1))


def shift(day: date, days: int) -> date | None:
    """The day so many days later; `None` beyond the calendar's first year."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def shift_date(value: str, days: int) -> str | None:
    """A DA value shifted, in its own spelling; `None` where it is no date."""
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    moved = _moved(match[1] + match[3] + match[4], days)
    dot = match[2]
    return None if moved is None else f"{moved.year:04d}{dot}{moved.month:02d}{dot}{moved.day:02d}"


def shift_datetime(value: str, days: int) -> str | None:
    """A DT value shifted, time and zone as they are; `None` where it holds no whole date."""
    match = _DATETIME.fullmatch(value)
    if match is None:
        return None
    moved = _moved(match[1], days)
    if moved is None:
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{match[2]}{match[3] or ''}"


def is_time(value: str) -> bool:
    """Whether a value is a TM value."""
    return _TIME.fullmatch(value) is not None


def _moved(digits: str, days: int) -> date | None:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
    return shift(day, days)
