"""Content items of structured documents: Table E.3.4-1 by concept name, else by value type.

The tree stays: what must go is replaced, or removed where no other item refers to items by position.

References
----------
PS3.15 §E.3.4, Table E.3.4-1; PS3.3 §C.17.3 (SR Document Content), §10.2 (Content Item Macro).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anonymizer.codec import Element
from anonymizer.dummies import TEXT, dummy
from anonymizer.part10 import text_value
from anonymizer.profile import Option

if TYPE_CHECKING:
    from anonymizer.codec import Dataset
    from anonymizer.profile import Profile
    from anonymizer.table import ContentRule

CONCEPT_NAME: Final = 0x0040A043
VALUE_TYPE: Final = 0x0040A040
REFERENCED_POSITION: Final = 0x0040DB73
CONTENT_SEQUENCE: Final = 0x0040A730
_CODE_VALUES: Final = (0x00080100, 0x00080119, 0x00080120)
_SCHEME: Final = 0x00080102

#: Attributes that hold the value of a content item, and how each is named here.
VALUES: Final = {
    0x0040A160: "text",  # TextValue
    0x0040A123: "name",  # PersonName
    0x0040A120: "datetime",  # DateTime
    0x0040A121: "date",  # Date
    0x0040A122: "time",  # Time
    0x0040A124: "uid",  # UID
}
_OPTIONS_OF_DATES: Final = {
    Option.RETAIN_LONGITUDINAL_FULL_DATES.column: "K",
    Option.RETAIN_LONGITUDINAL_MODIFIED_DATES.column: "C",
}
#: Value types whose content items go where nothing says what they hold.
_DATES: Final = frozenset({"DATE", "TIME", "DATETIME"})


class ContentRules:
    """What becomes of each content item under a profile."""

    def __init__(self, rules: dict[tuple[str, str, str], ContentRule], profile: Profile) -> None:
        self._rules = rules
        self._profile = profile

    @property
    def of_dates(self) -> str:
        """What the options say of dates: `K`, `C` or, where they say nothing, an empty string."""
        return self._profile.decide(_OPTIONS_OF_DATES)[0]

    def action(self, item: Dataset) -> str:
        """`X`, `D`, `K`, `C` or, where neither table nor value type say anything, an empty string."""
        value_type = text_value(item, VALUE_TYPE)
        rule = self._rules.get((*_concept(item), value_type))
        if rule is not None:
            action, _ = self._profile.decide(rule.options)
            # Both removal and a dummy satisfy X/D; the dummy keeps templates valid.
            return action or ("D" if rule.basic == "X/D" else rule.basic)
        if value_type in _DATES:
            return self.of_dates or "X"
        return "D" if value_type == "PNAME" else ""


def _concept(item: Dataset) -> tuple[str, str]:
    element = item.get(CONCEPT_NAME)
    if element is None or not isinstance(element.value, list) or not element.value:
        return ("", "")
    name = element.value[0]
    code = next((text for tag in _CODE_VALUES if (text := text_value(name, tag))), "")
    return (text_value(name, _SCHEME), code)


def refers_by_position(items: list[Dataset]) -> bool:
    """Whether any item, at any depth, names another by its position in the tree."""
    for item in items:
        if REFERENCED_POSITION in item:
            return True
        children = item.get(CONTENT_SEQUENCE)
        if children is not None and isinstance(children.value, list) and refers_by_position(children.value):
            return True
    return False


def dummy_value(tag: int, element: Element) -> Element:
    """What stands in the place of a content item's value."""
    kind = VALUES[tag]
    if kind == "text":
        return Element(element.vr, TEXT)
    if kind == "name":
        return Element("PN", TEXT)
    return dummy({"datetime": "DT", "date": "DA", "time": "TM"}[kind])
