"""How one attribute compares with what a key asks of it.

References
----------
PS3.4 §C.2.2.2 (single value, list of UID, wild card, range, empty value and multiple value matching).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from dicom_node.index.date_times import moment, normal_date, normal_time
from dicom_node.index.person_names import bare_word, component_groups, literal, sound, words

#: One attribute of a DICOM JSON model: `vr`, and `Value` where it has values.
Attribute = dict[str, Any]


class Test(Protocol):
    """Says whether an attribute, absent perhaps, is what a key asks for."""

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:
        """Compare; `offset_s` is the data set's offset from UTC in seconds."""


def values_in(attribute: Attribute | None) -> list[Any]:
    """The values of an attribute that are not empty."""
    found = attribute.get("Value") if attribute is not None else None
    return [value for value in found if value is not None] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Empty:
    """The attribute is absent or has no value."""

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        return attribute is None or not (
            values_in(attribute) or "InlineBinary" in attribute or "BulkDataURI" in attribute
        )


@dataclass(frozen=True, slots=True)
class Uids:
    """One of the UIDs."""

    uids: frozenset[str]

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        return any(str(value).strip("\0 ") in self.uids for value in values_in(attribute))


@dataclass(frozen=True, slots=True)
class Range:
    """A date or time from `low` to `high`, both in the normal form of `vr`."""

    vr: str
    low: str
    high: str

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        normal = normal_date if self.vr == "DA" else normal_time
        return any(self.low <= normal(value) <= self.high for value in values_in(attribute))


@dataclass(frozen=True, slots=True)
class Moments:
    """A date-time, any part of whose precision lies from `first` to `last` (microseconds)."""

    first: float
    last: float

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:
        """See `Test`."""
        spans = [moment(value, offset_s) for value in values_in(attribute)]
        return any(span is not None and span[0] <= self.last and self.first <= span[1] for span in spans)


@dataclass(frozen=True, slots=True)
class Number:
    """The same number, however it is written."""

    number: float

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        return any(number_of(value) == self.number for value in values_in(attribute))


@dataclass(frozen=True, slots=True)
class Text:
    """A text that fits a pattern of `*` and `?`, case and all."""

    pattern: str

    @property
    def wild(self) -> bool:
        """Whether there are wild cards in it."""
        return "*" in self.pattern or "?" in self.pattern

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        return any(glob(self.pattern, str(value).strip()) for value in values_in(attribute))


@dataclass(frozen=True, slots=True)
class Name:
    """A person name, without regard to case.

    Attributes
    ----------
    groups
        For each component group the patterns of which one must fit, none for a group that does not
        matter. A single entry stands for any group.
    """

    groups: tuple[tuple[str, ...], ...]

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        return any(self._fits([literal(g) for g in component_groups(v)]) for v in values_in(attribute))

    def _fits(self, groups: list[str]) -> bool:
        if len(self.groups) == 1:
            return any(glob(pattern, group) for group in groups if group for pattern in self.groups[0])
        pairs = zip(self.groups, groups, strict=False)
        return all(not wanted or any(glob(p, group) for p in wanted) for wanted, group in pairs)


@dataclass(frozen=True, slots=True)
class FuzzyName:
    """A person name that has each of the words, or one that begins or sounds like it."""

    words: tuple[str, ...]

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:  # noqa: ARG002
        """See `Test`."""
        names = (words("=".join(component_groups(value))) for value in values_in(attribute))
        return any(all(_word_fits(wanted, name) for wanted in self.words) for name in names)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several tests, at least."""

    tests: tuple[Test, ...]

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:
        """See `Test`."""
        return any(test.accepts(attribute, offset_s) for test in self.tests)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of several tests."""

    tests: tuple[Test, ...]

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:
        """See `Test`."""
        return all(test.accepts(attribute, offset_s) for test in self.tests)


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


def number_of(value: Any) -> float | None:
    """A number, or `None` where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _word_fits(wanted: str, name: list[str]) -> bool:
    if "*" not in wanted and "?" not in wanted:
        spoken = sound(wanted)
        return any(word.startswith(wanted) or (spoken and sound(word) == spoken) for word in name)
    spoken = sound(bare_word(wanted))
    return any(glob(wanted, word) or (spoken and sound(word) == spoken) for word in name)
