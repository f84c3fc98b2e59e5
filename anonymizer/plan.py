"""What becomes of each attribute: Table E.1-1 under a profile, worked out once for all tags.

Beyond the table, because an attribute that nobody listed can still hold identity: private attributes,
attributes that the standard does not know, UN values of unknown meaning, repeating groups, group lengths,
and person names, dates and network addresses that the table leaves out are removed; so are, by default,
attributes that no module of the SOP Class knows, as far as they can hold text. All text that stays is read.

References
----------
PS3.15 §E.1.1, Table E.1-1a (meaning of the action codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from anonymizer.profile import Option
from anonymizer.values import DATE_VRS, NUMBER_VRS, TEXT_VRS

if TYPE_CHECKING:
    from anonymizer.profile import Profile
    from anonymizer.table import AttributeTypes, KnownAttributes, Rule, Table

#: First byte of the repeating groups: curves (50xx) and overlays (60xx).
REPEATING: Final = frozenset({0x50, 0x60})
#: Locators that name a standard, not a network address of the sender's site.
_HARMLESS_UR: Final = frozenset({0x0008010E, 0x00080120})
#: Outside the table, yet they name a site or hold what another de-identifier encrypted.
_UNLISTED: Final = {
    0x00400031: "unlisted-issuer",  # LocalNamespaceEntityID
    0x00400032: "unlisted-issuer",  # UniversalEntityID
    0x04000500: "encrypted-attributes",  # EncryptedAttributesSequence
}
_PROCEDURES: Final = frozenset({Option.CLEAN_STRUCTURED_CONTENT})
#: Text of fixed meaning in the standard or from the maker: only identifiers that are known are looked for,
#: since digits and words of codes look like identifiers.
_TECHNICAL: Final = frozenset(
    {
        0x00080070,  # Manufacturer
        0x00080100,  # CodeValue
        0x00080102,  # CodingSchemeDesignator
        0x00080103,  # CodingSchemeVersion
        0x00080105,  # MappingResource
        0x0008010F,  # ContextIdentifier
        0x00080119,  # LongCodeValue
        0x00080120,  # URNCodeValue
        0x00081090,  # ManufacturerModelName
        0x00181020,  # SoftwareVersions
        0x00180024,  # SequenceName
        0x0040DB00,  # TemplateIdentifier
    }
)


class Step(Enum):
    """What is done with an element."""

    #: Stays as it is: binary values of known meaning.
    KEEP = "keep"
    #: Stays where it has the form of a number.
    NUMBER = "number"
    #: Stays but for what identifies somebody by form or by being known.
    TEXT = "text"
    #: As TEXT, and free text: words beside a finding that look like names go, too.
    FREE_TEXT = "free-text"
    #: Stays but for identifiers that are known.
    KNOWN_TEXT = "known-text"
    #: A sequence that stays: its items are worked through.
    RECURSE = "recurse"
    #: Content items: Table E.3.4-1.
    CONTENT = "content"
    #: Date, date and time: shifted. A time of day stays.
    DATE = "date"
    #: Date or time that stays where it is one.
    KEEP_DATE = "keep-date"
    #: A UID outside the table: replaced unless the standard registers it.
    ANY_UID = "any-uid"
    #: A UID that an option retains.
    KEEP_UID = "keep-uid"
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
    """The step of one tag, the rule's name for counts and reasons, and the VR of the standard.

    Attributes
    ----------
    otherwise
        The action of the Basic Profile where cleaning fails; `X` outside the table.
    """

    step: Step
    rule: str
    vr: str
    listed: bool
    otherwise: str = "X"


class Plan:
    """Steps by tag.

    Parameters
    ----------
    dictionary
        Tag to VR of all attributes of the standard.
    """

    def __init__(
        self,
        table: Table,
        types: AttributeTypes,
        known: KnownAttributes,
        profile: Profile,
        dictionary: dict[int, str],
    ) -> None:
        self._types = types
        self._known = known
        self._profile = profile
        self._tops: dict[str | None, frozenset[int]] = {}
        self.entries: dict[int, Entry] = {}
        for tag, vr in dictionary.items():
            if tag >> 16 < 8 or tag >> 16 & 1 or not tag & 0xFFFF or tag >> 24 in REPEATING:
                continue  # commands, File Meta, directories, private, group lengths, curves and overlays
            rule = table.by_tag.get(tag)
            self.entries[tag] = self._unlisted(tag, vr) if rule is None else self._listed(tag, vr, rule)

    def _listed(self, tag: int, vr: str, rule: Rule) -> Entry:
        action, option = self._profile.decide(rule.options)
        step = None
        if action == "K":
            step = _kept(tag, vr, self._profile)
            step = Step.KNOWN_TEXT if step is Step.TEXT else step
        elif action == "C":
            step = _cleaned(vr, option)
        if step is not None:
            return Entry(step, action, vr, listed=True, otherwise=rule.basic)
        if "/" in rule.basic or rule.basic in {"Z", "D"}:
            return Entry(Step.BY_TYPE, rule.basic, vr, listed=True)
        return Entry(Step(rule.basic), rule.basic, vr, listed=True)

    def _unlisted(self, tag: int, vr: str) -> Entry:
        if tag in _UNLISTED:
            return Entry(Step.REMOVE, _UNLISTED[tag], vr, listed=False)
        if vr == "PN":
            return Entry(Step.REMOVE, "unlisted-name", vr, listed=False)
        if vr == "UR" and tag not in _HARMLESS_UR:
            return Entry(Step.REMOVE, "unlisted-address", vr, listed=False)
        if vr in DATE_VRS:
            if Option.RETAIN_LONGITUDINAL_FULL_DATES in self._profile:
                return Entry(Step.KEEP_DATE, "keep", vr, listed=False)
            if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in self._profile:
                return Entry(Step.DATE, "unlisted-date", vr, listed=False)
            return Entry(Step.REMOVE, "unlisted-date", vr, listed=False)
        return Entry(_kept(tag, vr, self._profile), "keep", vr, listed=False)

    @property
    def retained(self) -> frozenset[int]:
        """Attributes of the table that an option keeps as they are."""
        return frozenset(tag for tag, entry in self.entries.items() if entry.listed and entry.rule == "K")

    @property
    def keeps_content(self) -> bool:
        """Whether content items are cleaned, not replaced as a whole."""
        return Option.CLEAN_STRUCTURED_CONTENT in self._profile

    def types_of(self, sop_class_uid: str) -> dict[int, str] | None:
        """Types of attributes in the IOD, keyed as `AttributeTypes.by_iod`; `None` where unknown."""
        return self._types.of(sop_class_uid)

    def known_at_top(self, sop_class_uid: str) -> frozenset[int] | None:
        """Attributes that a module of the SOP Class lists; `None` where unlisted ones may stay."""
        if not self._profile.default_deny:
            return None
        iod = self._types.iod_of.get(sop_class_uid)
        if iod not in self._known.iods:
            iod = None
        if iod not in self._tops:
            self._tops[iod] = self._known.top(iod)
        return self._tops[iod]

    def known_in_items(self, parent: int) -> frozenset[int] | None:
        """Attributes that items of a sequence may hold; `None` where unlisted ones may stay."""
        if not self._profile.default_deny:
            return None
        return self._known.items.get(parent, frozenset())


def _kept(tag: int, vr: str, profile: Profile) -> Step:
    if vr == "SQ":
        return Step.RECURSE
    if vr == "UI":
        return Step.KEEP_UID if Option.RETAIN_UIDS in profile else Step.ANY_UID
    if vr == "AS":
        return Step.AGE
    if vr in DATE_VRS:
        return Step.KEEP_DATE
    if vr in NUMBER_VRS:
        return Step.NUMBER
    if vr == "CS" or tag in _TECHNICAL or vr in {"AE", "PN", "UR"}:
        return Step.KNOWN_TEXT
    return Step.TEXT if vr in TEXT_VRS else Step.KEEP


def _cleaned(vr: str, option: Option | None) -> Step | None:
    """How an attribute is cleaned; `None` where nobody knows, so that the Basic Profile's action stands."""
    if vr == "SQ":
        return Step.CONTENT if option in _PROCEDURES else Step.RECURSE
    if option is Option.RETAIN_LONGITUDINAL_MODIFIED_DATES:
        if vr in DATE_VRS:
            return Step.DATE
        return Step.NUMBER if vr in NUMBER_VRS else None
    if vr in TEXT_VRS:
        return Step.KNOWN_TEXT if vr == "CS" else Step.FREE_TEXT
    return Step.NUMBER if vr in NUMBER_VRS else None


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
    return Step.EMPTY if "Z" in options else Step.REMOVE
