"""Table E.1-1 of PS3.15 and the attribute Types that its combined actions depend on.

References
----------
PS3.15 Table E.1-1, Table E.1-1a (action codes); PS3.3 (Types).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

#: Types of an attribute in an IOD (PS3.5 §7.4), strongest first.
TYPES = ("1", "1C", "2", "2C", "3")
#: The table removes these, and every IOD that has them makes them Type 1 (PS3.3 §C.11.10): a dummy instead.
_DEMANDED = frozenset({"PresentationCreationDate", "PresentationCreationTime"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of Table E.1-1.

    Attributes
    ----------
    tag
        Eight hexadecimal digits, `x` in repeating groups, or `PRIVATE`.
    basic
        Action of the Basic Profile: X, Z, D, U or several joined by `/`.
    options
        Action (K keep, C clean) by option column, where the column holds one.
    """

    tag: str
    keyword: str
    basic: str
    options: dict[str, str]
    retired: bool
    in_standard_iod: bool
    vr: str | None = None

    @property
    def number(self) -> int | None:
        """The tag as a number; `None` for repeating groups and the private row."""
        return int(self.tag, 16) if not set(self.tag) - set("0123456789ABCDEF") else None


@dataclass(frozen=True, slots=True)
class Table:
    """Table E.1-1 of one edition.

    Attributes
    ----------
    rules
        All rows as the standard has them.
    by_tag
        What is carried out, by tag: the rows, but a dummy where a removal would leave no valid object.
    """

    edition: str
    option_columns: tuple[str, ...]
    rules: tuple[Rule, ...]
    by_tag: dict[int, Rule] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AttributeTypes:
    """Types of the attributes in Table E.1-1 by SOP Class, and what belongs to patient and study.

    Attributes
    ----------
    by_iod
        IOD to {enclosing sequence << 32 | tag: Type}; the enclosing sequence is 0 at the top.
    identity
        Top-level attributes of the Patient and Study entities, Study Instance UID left out.
    body_parts
        Defined terms of Body Part Examined (PS3.16 Annex L), upper case.
    """

    by_iod: dict[str, dict[int, str]] = field(repr=False)
    iod_of: dict[str, str] = field(repr=False)
    identity: frozenset[int] = field(repr=False)
    body_parts: frozenset[str] = field(repr=False)

    def of(self, sop_class_uid: str) -> dict[int, str] | None:
        """Types in the IOD of a SOP Class; `None` where the table does not know it."""
        iod = self.iod_of.get(sop_class_uid)
        return None if iod is None else self.by_iod[iod]


@dataclass(frozen=True, slots=True)
class KnownAttributes:
    """Which attributes the modules of an IOD list, and which the items of a sequence may hold.

    Attributes
    ----------
    iods
        IOD to its modules.
    modules
        Module to its attributes at the top level.
    items
        Sequence to the attributes of its items, in any module.
    everywhere
        Attributes of every data set.
    """

    iods: dict[str, list[str]] = field(repr=False)
    modules: dict[str, frozenset[int]] = field(repr=False)
    items: dict[int, frozenset[int]] = field(repr=False)
    everywhere: frozenset[int]

    def top(self, iod: str | None) -> frozenset[int]:
        """Attributes at the top level of an IOD; those of all where it is unknown."""
        modules = set(self.modules) if iod is None else set(self.iods[iod])
        if "image-pixel" in modules:
            # Images of every kind come with them in Standard Extended SOP Classes.
            modules |= {"modality-lut", "voi-lut"}
        known = [self.modules[module] for module in modules if module in self.modules]
        return self.everywhere.union(*known)


@dataclass(frozen=True, slots=True)
class ContentRule:
    """One row of Table E.3.4-1: basic action (X, D, X/D) and actions by option column."""

    basic: str
    options: dict[str, str]


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        resources.files("anonymizer").joinpath("_standard", name).read_text(encoding="utf-8")
    )
    return loaded


def load_table() -> Table:
    """Read Table E.1-1 from the package."""
    raw = _read("deidentification.json")
    rules = tuple(
        Rule(
            tag=row["tag"],
            keyword=row["keyword"],
            basic=row["basic"],
            options=row["options"],
            retired=row["retired"],
            in_standard_iod=row["in_standard_iod"],
            vr=row.get("vr"),
        )
        for row in raw["rows"]
    )
    by_tag = {
        number: replace(rule, basic="D") if rule.keyword in _DEMANDED else rule
        for rule in rules
        if (number := rule.number) is not None
    }
    return Table(raw["edition"], tuple(raw["options"]), rules, by_tag)


def load_attribute_types() -> AttributeTypes:
    """Read the Types from the package."""
    raw = _read("attribute_types.json")
    entries = [(int(parent, 16) << 32 | int(tag, 16), kind) for parent, tag, kind in raw["entries"]]
    return AttributeTypes(
        by_iod={iod: dict(entries[i] for i in indices) for iod, indices in raw["iods"].items()},
        iod_of=raw["sop_classes"],
        identity=frozenset(int(tag, 16) for tag in raw["identity_attributes"]),
        body_parts=frozenset(raw["body_parts"]),
    )


def load_known_attributes() -> KnownAttributes:
    """Read what each IOD knows from the package."""
    raw = _read("attributes.json")
    return KnownAttributes(
        iods=raw["iods"],
        modules={m: frozenset(int(tag, 16) for tag in tags) for m, tags in raw["modules"].items()},
        items={int(p, 16): frozenset(int(tag, 16) for tag in tags) for p, tags in raw["items"].items()},
        everywhere=frozenset(int(tag, 16) for tag in raw["everywhere"]),
    )


def load_content_rules() -> dict[tuple[str, str, str], ContentRule]:
    """Read Table E.3.4-1 from the package: (coding scheme, code value, value type) to the rule."""
    rows = _read("content_items.json")["rows"]
    return {
        (row["scheme"], row["code"], row["value_type"]): ContentRule(row["basic"], row["options"])
        for row in rows
    }


def load_safe_private() -> dict[tuple[str, int, int], str]:
    """Read the safe private attributes: (private creator, group, element in the block) to VR."""
    rows = _read("safe_private.json")["rows"]
    return {(creator, int(group, 16), int(element, 16)): vr for creator, group, element, vr in rows}
