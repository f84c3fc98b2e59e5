"""Matching of one key against DICOM JSON attributes.

References
----------
PS3.4 §C.2.2.2 (single value, universal, wild card, range, list of UID, sequence matching), PS3.18 §8.3.4.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from dicom_node.index.attributes import normal_date, normal_time, person_names, values_of

if TYPE_CHECKING:
    from dicom_node.index.attributes import Attributes

_NUMBERS: Final = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_PATH: Final = re.compile(r"[0-9A-F]{8}(\.[0-9A-F]{8})?")
_DATE_TIME: Final = re.compile(
    r"\d{4}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])"
    r"(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?)?)?"
)
_EARLIEST: Final = {"DA": "00000000", "TM": "000000.000000", "DT": "00000101000000.000000"}
_LATEST: Final = {"DA": "99999999", "TM": "235960.999999", "DT": "99991231235960.999999"}


class MatchKind(StrEnum):
    """How a key compares."""

    UIDS = "uids"
    RANGE = "range"
    NAME = "name"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Match:
    """A key with its value, read. A key that matches everything is no `Match`.

    Attributes
    ----------
    path
        One tag, or a sequence's and that of an attribute of its items.
    texts
        UIDs for UIDS; one text or pattern otherwise (empty for RANGE and NUMBER).
    low, high
        Bounds of a RANGE, both included, in the normal form of `vr`.
    """

    path: tuple[str, ...]
    kind: MatchKind
    vr: str
    texts: tuple[str, ...] = ()
    low: str = ""
    high: str = ""
    number: float = 0.0

    @property
    def wild(self) -> bool:
        """Whether the text is a pattern."""
        return self.kind in {MatchKind.TEXT, MatchKind.NAME} and any(c in self.texts[0] for c in "*?")

    def accepts(self, attributes: Attributes) -> bool:
        """Whether an attribute set matches; for a sequence, whether any of its items does."""
        items: list[Attributes] = [attributes]
        for tag in self.path[:-1]:
            items = [i for item in items for i in values_of(item, tag) if isinstance(i, dict)]
        return any(self._fits(value) for item in items for value in values_of(item, self.path[-1]))

    def _fits(self, value: Any) -> bool:
        if value is None:
            return False
        match self.kind:
            case MatchKind.UIDS:
                return str(value).strip("\0 ") in self.texts
            case MatchKind.RANGE:
                return self.low <= _normal(self.vr, value) <= self.high
            case MatchKind.NAME:
                return _name_fits(self.texts[0], value)
            case MatchKind.NUMBER:
                return _number(value) == self.number
            case MatchKind.TEXT:
                return glob(self.texts[0], str(value).strip())


def read_match(path: str, raw: str) -> Match | None:
    """Read a key and its value as sent; `None` where it matches everything.

    Raises
    ------
    ValueError
        If the value is malformed for its value representation; the message names the attribute.
    """
    if not _PATH.fullmatch(path):
        raise ValueError("a matching key is no tag, or no two tags joined by a dot")
    value = raw.strip()
    if not value.strip("*"):
        return None
    tags = tuple(path.split("."))
    vr = _vr(tags[-1])
    if vr == "UI":
        uids = tuple(uid for uid in re.split(r"[,\\\s]+", value) if uid)
        return Match(tags, MatchKind.UIDS, vr, texts=uids) if uids else None
    if vr in _EARLIEST:
        low, high = _bounds(tags[-1], vr, value)
        return Match(tags, MatchKind.RANGE, vr, low=low, high=high)
    if vr in _NUMBERS:
        number = _number(value)
        if number is None:
            raise ValueError(f"{_name_of(tags[-1])}: a number is needed")
        return Match(tags, MatchKind.NUMBER, vr, number=number)
    kind = MatchKind.NAME if vr == "PN" else MatchKind.TEXT
    return Match(tags, kind, vr, texts=(value.casefold() if vr == "PN" else value,))


def glob(pattern: str, text: str) -> bool:
    """Whether all of `text` fits a pattern of `*` and `?`; time grows with the product of their lengths."""
    at = seen = 0
    star, resume = -1, 0
    while seen < len(text):
        # The star comes first: a text may hold one too.
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, seen
            at += 1
        elif at < len(pattern) and pattern[at] in {"?", text[seen]}:
            at += 1
            seen += 1
        elif star >= 0:
            resume += 1
            at, seen = star + 1, resume
        else:
            return False
    return not pattern[at:].strip("*")


def _vr(tag: str) -> str:
    try:
        vr = dictionary_VR(int(tag, 16))
    except KeyError:
        return "LO"  # private or unknown: compared as text
    return vr.partition(" ")[0]  # "US or SS" and the like: numbers all


def _name_of(tag: str) -> str:
    return keyword_for_tag(int(tag, 16)) or tag


def _bounds(tag: str, vr: str, value: str) -> tuple[str, str]:
    low, dash, high = value.partition("-")
    low, high = low.strip(), high.strip()
    if not dash:
        high = low
    normal_low = _normal(vr, low, _EARLIEST[vr]) if low else _EARLIEST[vr]
    normal_high = _normal(vr, high, _LATEST[vr]) if high else _LATEST[vr]
    if not normal_low or not normal_high or not (low or high) or "+" in value:
        what = {"DA": "YYYYMMDD", "TM": "HHMMSS.ffffff", "DT": "YYYYMMDDHHMMSS.ffffff without offset"}[vr]
        raise ValueError(f"{_name_of(tag)}: {what} is needed, or a range of two joined by -")
    return normal_low, normal_high


def _normal(vr: str, value: Any, filler: str = "") -> str:
    if vr == "DA":
        return normal_date(value)
    if vr == "TM":
        return normal_time(value, filler or _EARLIEST["TM"])
    # An offset from UTC is left out of the comparison.
    text = re.split(r"[+-]|&", str(value).strip())[0]
    return text + (filler or _EARLIEST["DT"])[len(text) :] if _DATE_TIME.fullmatch(text) else ""


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _name_fits(pattern: str, value: Any) -> bool:
    groups = [group.casefold() for group in person_names(value)]
    if "=" not in pattern:
        return any(_group_fits(pattern, group) for group in groups)
    if isinstance(value, dict):
        named = [value.get(group) or "" for group in ("Alphabetic", "Ideographic", "Phonetic")]
        groups = [str(group).casefold() for group in named]
    wanted = pattern.split("=")
    groups += [""] * (len(wanted) - len(groups))
    return all(not want or _group_fits(want, group) for want, group in zip(wanted, groups, strict=False))


def _group_fits(pattern: str, group: str) -> bool:
    # Trailing carets stand for empty components and mean nothing (PS3.5 §6.2.1.1).
    return glob(pattern, group) or glob(pattern.rstrip("^ "), group.rstrip("^ "))
