"""What a rule asks of any attribute: a regular expression, a list of values, a range, or that it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom.datadict import dictionary_description, dictionary_has_tag, tag_for_keyword

from inference.attributes import items, values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEX = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_KEYS = frozenset({"matches", "one_of", "at_least", "at_most", "exists"})
#: Longest text that an expression is tried on: the catalogue keeps no longer values.
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """One attribute and what is asked of it; all that is given must hold for one of its values.

    Attributes
    ----------
    path
        Tags (8 upper-case hexadecimal digits), those of sequences around it first.
    name
        For people.
    matches
        Found anywhere in a value, whatever the case.
    one_of
        Values, case and outer spaces aside.
    at_least, at_most
        Of a number.
    exists
        Whether there must be a value, or must be none.
    """

    path: tuple[str, ...]
    name: str
    matches: re.Pattern[str] | None = None
    one_of: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    exists: bool | None = None

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether an instance's attributes pass; never raises."""
        found = _values_at(attributes, self.path)
        if self.exists is not None:
            return bool(found) is self.exists
        return any(self._fits(value) for value in found)

    def count(self, instances: Sequence[Mapping[str, Any]]) -> int:
        """How many instances pass."""
        return sum(self.holds(attributes) for attributes in instances)

    @property
    def asked(self) -> str:
        """What is asked, for people."""
        if self.exists is not None:
            return f"{self.name} is {'there' if self.exists else 'absent'}"
        parts = []
        if self.matches is not None:
            parts.append(f"matches {self.matches.pattern!r}")
        if self.one_of:
            parts.append(f"is {' or '.join(self.one_of)}")
        if self.at_least is not None:
            parts.append(f"is at least {self.at_least:g}")
        if self.at_most is not None:
            parts.append(f"is at most {self.at_most:g}")
        return f"{self.name} {' and '.join(parts)}"

    def _fits(self, value: object) -> bool:
        text = str(value)[:_LONGEST]
        if self.matches is not None and self.matches.search(text) is None:
            return False
        if self.one_of and text.strip().casefold() not in {one.casefold() for one in self.one_of}:
            return False
        if self.at_least is None and self.at_most is None:
            return True
        try:
            number = float(text)
        except ValueError:
            return False
        low = -float("inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        return low <= number <= high


def read_test(name: str, wanted: object) -> AttributeTest:
    """What `attributes: {name: wanted}` of a rule means.

    Parameters
    ----------
    name
        A keyword or a tag (`0008103E`, `(0008,103E)`); a dot goes into the items of a sequence.
    wanted
        A regular expression, a list of values, a number, or a mapping with some of `matches`, `one_of`,
        `at_least`, `at_most`, `exists`.

    Raises
    ------
    ValueError
        If it means nothing; the text says what to write.
    """
    path = tuple(_tag(part.strip()) for part in name.split("."))
    shown = _shown(name, path)
    asked = wanted if isinstance(wanted, dict) else _short_form(wanted)
    unknown = sorted(str(key) for key in asked if key not in _KEYS)
    if unknown or not asked:
        raise ValueError(
            f"{name}: give some of {', '.join(sorted(_KEYS))}, not {', '.join(unknown) or 'nothing'}"
        )
    exists = asked.get("exists")
    if exists is not None and (not isinstance(exists, bool) or len(asked) > 1):
        raise ValueError(f"{name}: exists is true or false, and stands alone")
    at_least, at_most = _number(name, asked, "at_least"), _number(name, asked, "at_most")
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError(f"{name}: at_least is larger than at_most")
    matches = asked.get("matches")
    one_of = asked.get("one_of", [])
    if not isinstance(one_of, (list, tuple)) or (("one_of" in asked) and not one_of):
        raise ValueError(f"{name}: one_of is a list of values")
    return AttributeTest(
        path=path,
        name=shown,
        matches=None if matches is None else _expression(name, matches),
        one_of=tuple(str(one).strip() for one in one_of),
        at_least=at_least,
        at_most=at_most,
        exists=exists,
    )


def _short_form(wanted: object) -> dict[str, Any]:
    if isinstance(wanted, str):
        return {"matches": wanted}
    if isinstance(wanted, (list, tuple)):
        return {"one_of": list(wanted)}
    if isinstance(wanted, bool):
        return {"exists": wanted}
    if isinstance(wanted, (int, float)):
        return {"at_least": wanted, "at_most": wanted}
    return {}


def _tag(part: str) -> str:
    found = _HEX.fullmatch(part)
    if found is not None:
        return (found[1] + found[2]).upper()
    tag = tag_for_keyword(part)
    if tag is None:
        raise ValueError(
            f"{part} is no attribute: write its keyword (SeriesDescription) or its tag (0008103E)"
        )
    return f"{tag:08X}"


def _shown(name: str, path: tuple[str, ...]) -> str:
    tag = int(path[-1], 16)
    return dictionary_description(tag) if dictionary_has_tag(tag) else name


def _expression(name: str, pattern: object) -> re.Pattern[str]:
    try:
        return re.compile(str(pattern), re.IGNORECASE)
    except re.error as exc:
        raise ValueError(f"{name}: {pattern!r} is no regular expression ({exc})") from exc


def _number(name: str, asked: Mapping[str, Any], key: str) -> float | None:
    value = asked.get(key)
    if value is None:
        return None
    if type(value) in {int, float}:
        return float(value)
    raise ValueError(f"{name}: {key} is a number")


def _values_at(attributes: Mapping[str, Any], path: tuple[str, ...]) -> tuple[Any, ...]:
    holders: tuple[Mapping[str, Any], ...] = (attributes,)
    for tag in path[:-1]:
        holders = tuple(item for holder in holders for item in items(holder, tag))
    found = tuple(value for holder in holders for value in values(holder, path[-1]))
    # Person names stand as their representations in DICOM JSON.
    return tuple(
        part for value in found for part in (value.values() if isinstance(value, dict) else (value,))
        if isinstance(part, (str, int, float)) and part != ""
    )  # fmt: skip
