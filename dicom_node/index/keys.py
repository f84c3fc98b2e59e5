"""Reading the value of a matching key into a test, by the value representation of its attribute.

References
----------
PS3.4 §C.2.2.2; PS3.18 §8.3.4.1, §8.3.4.2, §8.3.4.5 and §8.3.4.6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicom_node.index.date_times import FORMS, read_bounds, read_moments
from dicom_node.index.person_names import key_words, literal
from dicom_node.index.value_tests import (
    AllOf,
    AnyOf,
    Attribute,
    Empty,
    FuzzyName,
    Moments,
    Name,
    Number,
    Range,
    Test,
    Text,
    Uids,
    number_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NUMBERS: Final = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
#: VRs whose keys may be lists (PS3.4 §C.2.2.2.8).
_LISTS: Final = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
#: Of these, those whose values cannot hold a comma themselves.
_COMMA_LISTS: Final = frozenset({"AS", "AT", "CS"})
#: Values of one list.
_MAX_LIST: Final = 1000
#: Characters of one value: the catalogue holds no longer ones.
_MAX_LENGTH: Final = 1024
EMPTY_VALUE: Final = '""'


@dataclass(frozen=True, slots=True)
class Options:
    """How keys are to be read: see `CatalogQuery`; `offset_s` is the request's offset from UTC or `None`."""

    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False
    offset_s: float | None = None
    combined: bool = True


@dataclass(frozen=True, slots=True)
class ByVr:
    """The test that the attribute's own VR asks for: for private attributes, which no dictionary knows."""

    raw: str
    options: Options

    def accepts(self, attribute: Attribute | None, offset_s: float) -> bool:
        """See `Test`."""
        if attribute is None:
            return False
        try:
            test = read_test(str(attribute.get("vr", "UN")), self.raw, self.options)
        except ValueError:
            return False
        return test is None or test.accepts(attribute, offset_s)


def read_test(vr: str | None, raw: str, options: Options) -> Test | None:
    """The test of a value as sent, `None` where it matches everything.

    Parameters
    ----------
    vr
        `None` where it shows with each attribute only.

    Raises
    ------
    ValueError
        If the value is malformed for the value representation; the message says what is needed.
    """
    value = raw.strip()
    if not value.strip("*"):
        return None
    if value == EMPTY_VALUE and options.empty:
        return Empty()
    if vr is None:
        return ByVr(raw, options)
    if vr == "SQ":
        raise ValueError("a sequence is matched by the attributes of its items, written sequence.attribute")
    if vr in BINARY:
        raise ValueError("binary values cannot be searched for")
    reader = _READERS.get(vr)
    return reader(vr, value, options) if reader is not None else _read_text(vr, value, options)


def _read_uids(vr: str, value: str, options: Options) -> Test | None:  # noqa: ARG001 (one form for all)
    uids = frozenset(uid for uid in re.split(r"[,\\\s]+", value) if uid)
    return Uids(uids) if uids else None


def _read_number(vr: str, value: str, options: Options) -> Test:  # noqa: ARG001 (one form for all)
    number = number_of(value)
    if number is None:
        raise ValueError("a number is needed")
    return Number(number)


def _read_range(vr: str, value: str, options: Options) -> Test:
    bounds = None if vr == "DT" else read_bounds(vr, value)
    if bounds is not None:
        return Range(vr, bounds.low, bounds.high)
    span = read_moments(value, options.offset_s or 0.0) if vr == "DT" else None
    if span is not None:
        return Moments(*span)
    raise ValueError(f"{FORMS[vr]} is needed, or a range of two joined by -")


_READERS: Final[dict[str, Callable[[str, str, Options], Test | None]]] = {
    "UI": _read_uids,
    **dict.fromkeys(FORMS, _read_range),
    **dict.fromkeys(NUMBERS, _read_number),
}


def _read_text(vr: str, value: str, options: Options) -> Test | None:
    items = _items(vr, value, options)
    if len(items) > _MAX_LIST:
        raise ValueError(f"at most {_MAX_LIST} values")
    if len(items) < 2:
        return _single(vr, value, options)
    if not options.multiple:
        tests = [_single(vr, item, options) for item in items]
        return None if None in tests else AnyOf(tuple(test for test in tests if test is not None))
    if any("*" in item or "?" in item for item in items):
        raise ValueError("a list of values has no wild cards")
    every = AllOf(tuple(test for item in items if (test := _single(vr, item, options)) is not None))
    if "\\" in value or vr in _COMMA_LISTS:
        return every
    # The comma may be part of a single value too.
    return AnyOf((every, Text(value) if vr != "PN" else Name(_groups(value))))


def _items(vr: str, value: str, options: Options) -> Sequence[str]:
    if vr not in _LISTS:
        return [value]
    if "\\" in value:
        items = value.split("\\")
    elif "," in value and (options.multiple or vr in _COMMA_LISTS):
        items = value.split(",")
    else:
        return [value]
    return list(dict.fromkeys(item.strip() for item in items if item.strip()))


def _single(vr: str, value: str, options: Options) -> Test | None:
    if not value.strip("*"):
        return None
    if len(value) > _MAX_LENGTH:
        raise ValueError(f"at most {_MAX_LENGTH} characters")
    if vr == "AT":
        return Text(re.sub(r"[(),\s]", "", value).upper())
    if vr != "PN":
        return Text(value)
    if options.fuzzy:
        wanted = tuple(key_words(value))
        return FuzzyName(wanted) if wanted else None
    groups = _groups(value)
    return Name(groups) if any(groups) else None


def _groups(value: str) -> tuple[tuple[str, ...], ...]:
    return tuple(_patterns(group) if group.strip("^ *") else () for group in value.split("=")[:3])


def _patterns(group: str) -> tuple[str, ...]:
    """The pattern of a component group, and those that remain without empty components at its end."""
    pattern = group.casefold().strip()
    found = [literal(pattern)]
    while pattern.endswith(("^", "^*")):
        pattern = pattern.removesuffix("*").rstrip("^ ")
        found.append(pattern)
    return tuple(dict.fromkeys(found))
