"""What becomes of each attribute: Table E.1-1 under a profile, worked out once for all tags.

Beyond the table, because an attribute that nobody listed can still hold identity: private attributes,
attributes that the standard does not know, UN values of unknown meaning, repeating groups, group lengths,
and person names, dates and network addresses that the table leaves out are removed.

References
----------
PS3.15 §E.1.1, Table E.1-1a (meaning of the action codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from anonymizer.profile import Profile
    from anonymizer.table import AttributeTypes, Table

PATIENT_AGE: Final = 0x00101010
#: First byte of the repeating groups: curves (50xx) and overlays (60xx).
REPEATING: Final = frozenset({0x50, 0x60})
#: Locators that name a standard, not a network address of the sender's site.
_HARMLESS_UR: Final = frozenset({0x0008010E, 0x00080120})
_UNLISTED: Final = {
    "PN": "unlisted-name",
    "UR": "unlisted-address",
    "DA": "unlisted-date",
    "DT": "unlisted-date",
    "TM": "unlisted-date",
}


class Step(Enum):
    """What is done with an element."""

    KEEP = "keep"
    #: As KEEP, because an option says so.
    RETAIN = "K"
    #: A sequence that stays: its items are worked through.
    RECURSE = "recurse"
    #: A UID outside the table: replaced unless the standard registers it.
    ANY_UID = "any-uid"
    #: Age of more than 89 years becomes 90.
    AGE = "age"
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    UID = "U"
    #: Combined actions: which one depends on the attribute's Type.
    BY_TYPE = "by-type"


@dataclass(frozen=True, slots=True)
class Entry:
    """The step of one tag, the rule's name for counts and reasons, and the VR of the standard."""

    step: Step
    rule: str
    vr: str


class Plan:
    """Steps by tag.

    Parameters
    ----------
    dictionary
        Tag to VR of all attributes of the standard.
    """

    def __init__(
        self, table: Table, types: AttributeTypes, profile: Profile, dictionary: dict[int, str]
    ) -> None:
        self._types = types
        self.entries: dict[int, Entry] = {}
        kept = {tag for tag, rule in table.by_tag.items() if profile.keeps(rule)}
        for tag, vr in dictionary.items():
            if tag >> 16 < 8 or tag >> 16 & 1 or not tag & 0xFFFF or tag >> 24 in REPEATING:
                continue  # commands, File Meta, directories, private, group lengths, curves and overlays
            rule = table.by_tag.get(tag)
            if rule is None or tag in kept:
                self.entries[tag] = self._unlisted(tag, vr, listed=rule is not None)
            elif "/" in rule.basic or rule.basic in {"Z", "D"}:
                self.entries[tag] = Entry(Step.BY_TYPE, rule.basic, vr)
            else:
                self.entries[tag] = Entry(Step(rule.basic), rule.basic, vr)

    @staticmethod
    def _unlisted(tag: int, vr: str, *, listed: bool) -> Entry:
        rule = "keep" if not listed else "K"
        if tag == PATIENT_AGE:
            return Entry(Step.AGE, rule, vr)
        if vr == "SQ":
            return Entry(Step.RECURSE, rule, vr)
        if vr == "UI":
            return Entry(Step.ANY_UID, rule, vr)
        if not listed and vr in _UNLISTED and tag not in _HARMLESS_UR:
            return Entry(Step.REMOVE, _UNLISTED[vr], vr)
        return Entry(Step.RETAIN if listed else Step.KEEP, rule, vr)

    def for_class(self, sop_class_uid: str) -> dict[int, str] | None:
        """Types of attributes in the IOD, keyed as `AttributeTypes.by_iod`; `None` where unknown."""
        return self._types.of(sop_class_uid)


def resolve(actions: str, parent: int, tag: int, types: dict[int, str] | None) -> Step:
    """The step for a combined action.

    What the IOD demands decides: Type 1 a dummy, Type 2 an empty value, Type 3 removal, as far as the
    table offers it. An attribute of unknown Type (nested in a sequence that the IOD does not describe, or
    an unknown SOP Class) gets what keeps any IOD valid: a dummy before an empty value.
    References to other instances (U*) that the IOD demands stay, with their UIDs replaced.
    """
    options = actions.split("/")
    if types is None:
        kind = None
    else:
        kind = types.get(parent << 32 | tag)
        if kind is None and parent == 0:
            kind = "3"
    if "U*" in options:
        return Step.REMOVE if kind == "3" else Step.RECURSE
    if kind == "3" and "X" in options:
        return Step.REMOVE
    if kind in {"2", "2C", "3"} and "Z" in options:
        return Step.EMPTY
    if kind in {"1", "1C"} or "D" in options:
        return Step.DUMMY
    return Step.EMPTY
