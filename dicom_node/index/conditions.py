"""The keys of a search as conditions on data sets.

Keys of the same sequence must be met by one of its items together. A date and a time that go together and
are both given as ranges of the same form are one range of moments. A private attribute is found by its
Private Creator, wherever its block lies.

References
----------
PS3.4 §C.2.2.2.5 (combined date and time), §C.2.2.2.6 (sequence matching); PS3.18 §8.3.4.1 and §8.3.4.1.1
(requirement 4: private attributes; time zone); PS3.5 §7.8.1 (blocks of private elements).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag, private_dictionary_VR

from dicom_node.domain.attribute_levels import level_of
from dicom_node.index.attributes import clean
from dicom_node.index.date_times import EARLIEST, LATEST, offset_s, read_bounds
from dicom_node.index.keys import Options, read_test
from dicom_node.index.periods import Period, partner
from dicom_node.index.value_tests import Empty, Test, values_in

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogQuery
    from dicom_node.index.attributes import Attributes

TIMEZONE: Final = "00080201"
_CHARACTER_SET: Final = "00080005"
_PATH: Final = re.compile(r"[0-9A-F]{8}(\.[0-9A-F]{8})*")
_MAX_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Leaf:
    """A test of one attribute of a data set.

    Attributes
    ----------
    creator
        Of a private attribute.
    """

    tag: str
    test: Test
    creator: str | None = None

    def accepts(self, attributes: Attributes, zone_s: float | None) -> bool:
        """Whether a data set, or an item, has what is asked for; `zone_s` is its offset from UTC."""
        return self.test.accepts(located(attributes, self.tag, self.creator), zone_s or 0.0)

    def missing(self, attributes: Attributes) -> bool:
        """Whether the catalogue left the value out, so that it cannot be compared."""
        return "BulkDataURI" in (located(attributes, self.tag, self.creator) or {}) and not isinstance(
            self.test, Empty
        )


@dataclass(frozen=True, slots=True)
class Items:
    """An item of a sequence that meets all of these conditions."""

    tag: str
    parts: tuple[Condition, ...]
    creator: str | None = None

    def accepts(self, attributes: Attributes, zone_s: float | None) -> bool:
        """See `Leaf`. A sequence without items meets what asks for empty attributes."""
        items = [i for i in values_in(located(attributes, self.tag, self.creator)) if isinstance(i, dict)]
        if not items:
            return not self.missing(attributes) and all(part.accepts({}, zone_s) for part in self.parts)
        return any(all(part.accepts(item, zone_s) for part in self.parts) for item in items)

    def missing(self, attributes: Attributes) -> bool:
        """See `Leaf`."""
        return "BulkDataURI" in (located(attributes, self.tag, self.creator) or {})


#: What a data set must meet. Its tag says the level whose attribute sets decide.
Condition = Leaf | Items | Period


def zone_of(attributes: Attributes) -> float | None:
    """The offset from UTC that a data set names, in seconds."""
    return next((offset_s(value) for value in values_in(attributes.get(TIMEZONE))), None)


def located(attributes: Attributes, tag: str, creator: str | None) -> dict[str, Any] | None:
    """An attribute of a data set; a private one in the block that its creator reserved there."""
    if creator is None:
        return attributes.get(tag)
    for block in range(0x10, 0x100):
        reserved = attributes.get(f"{tag[:4]}00{block:02X}")
        if reserved is not None and creator in (str(v).strip() for v in values_in(reserved)):
            return attributes.get(f"{tag[:4]}{block:02X}{tag[6:]}")
    return None


def read_conditions(query: CatalogQuery) -> list[Condition]:
    """Read the keys of a search; those that match everything are left out.

    Raises
    ------
    ValueError
        If a key or its value is malformed, or belongs to a lower level; the message names the attribute
        and not the value.
    """
    options = Options(
        query.fuzzy, query.empty_matching, query.multiple_matching, combined=query.combined_date_time
    )
    keys: dict[tuple[str, ...], str] = {}
    for path, sent in query.matches.items():
        raw = clean(sent)
        if not _PATH.fullmatch(path) or path.count(".") >= _MAX_DEPTH:
            raise ValueError("a matching key is no tag, or no tags joined by dots")
        if path == TIMEZONE and raw.strip():
            zone = offset_s(raw)
            if zone is None:
                raise ValueError("TimezoneOffsetFromUTC: +ZZXX or -ZZXX is needed")
            options = replace(options, offset_s=zone)
        elif path != _CHARACTER_SET:
            keys[tuple(path.split("."))] = raw
    conditions = _read(keys, options)
    for condition in conditions:
        if level_of(condition.tag).depth > query.level.depth:
            raise ValueError(
                f"{name_of(condition.tag)} belongs to the {level_of(condition.tag)} level and is no key of"
                f" a search for the {query.level} level"
            )
    return conditions


def _read(keys: dict[tuple[str, ...], str], options: Options) -> list[Condition]:
    creators = {path[0]: raw.strip() for path, raw in keys.items() if len(path) == 1 and _reserves(path[0])}
    blocks = {path[0][:6] for path in keys if _private(path[0])}
    sequences: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    plain: dict[str, str] = {}
    for path, raw in keys.items():
        first, rest = path[0], path[1:]
        if rest:
            sequences[first][rest] = raw
        elif not (_reserves(first) and first[:4] + first[6:] in blocks):
            plain[first] = raw
    conditions: list[Condition] = _periods(plain, options)
    for tag, raw in plain.items():
        creator = _creator(tag, creators)
        try:
            test = read_test(_vr(tag, creator), raw, options)
        except ValueError as exc:
            raise ValueError(f"{name_of(tag)}: {exc}") from exc
        if test is not None:
            conditions.append(Leaf(tag, test, creator))
    for tag, inner in sequences.items():
        creator = _creator(tag, creators)
        if _vr(tag, creator) not in {"SQ", None}:
            raise ValueError(f"{name_of(tag)}: it is no sequence, so it has no items")
        parts = tuple(_read(inner, options))
        if parts:
            conditions.append(Items(tag, parts, creator))
    return conditions


def _periods(plain: dict[str, str], options: Options) -> list[Condition]:
    """Take dates and times out that make one range together, or whose time zone matters."""
    found: list[Condition] = []
    for tag in list(plain):
        times = partner(tag)
        if times is None or tag not in plain:
            continue
        days = read_bounds("DA", plain[tag]) if plain[tag].strip() else None
        hours = read_bounds("TM", plain[times]) if plain.get(times, "").strip() else None
        together = (
            options.combined and days is not None and hours is not None and days.form == hours.form != "value"
        )
        if days is None or not (together or options.offset_s is not None):
            continue
        if together and hours is not None:
            found.append(Period(tag, times, days.low + hours.low, days.high + hours.high, options.offset_s))
            del plain[tag], plain[times]
        else:
            low, high = days.low + EARLIEST["TM"], days.high + LATEST["TM"]
            found.append(Period(tag, times, low, high, options.offset_s))
            del plain[tag]
    return found


def _reserves(tag: str) -> bool:
    """Whether it is a Private Creator."""
    return int(tag[:4], 16) % 2 == 1 and tag[4:6] == "00" and tag[6:] >= "10"


def _private(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 1 and tag[4:6] >= "10"


def _creator(tag: str, creators: dict[str, str]) -> str | None:
    if not _private(tag):
        return None
    creator = creators.get(f"{tag[:4]}00{tag[4:6]}")
    if not creator:
        raise ValueError(
            f"{tag}: a private attribute needs its Private Creator as a key, {tag[:4]}00{tag[4:6]}"
        )
    return creator


def _vr(tag: str, creator: str | None) -> str | None:
    """The VR, one of several that the dictionary allows; `None` where it knows none."""
    try:
        vr = private_dictionary_VR(int(tag, 16), creator) if creator else dictionary_VR(int(tag, 16))
    except KeyError:
        return "LO" if _reserves(tag) else None
    return vr.partition(" ")[0]  # "US or SS" and the like: numbers all


def name_of(tag: str) -> str:
    """The keyword, or the tag where it has none."""
    return keyword_for_tag(int(tag, 16)) or tag
