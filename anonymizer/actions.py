"""Carries out the plan on a data set and all its items.

References
----------
PS3.15 Table E.1-1a (action codes).
"""

from __future__ import annotations

from typing import Final

from anonymizer.codec import Dataset, Element
from anonymizer.content import VALUES, dummy_value, refers_by_position
from anonymizer.dummies import dummy, dummy_items
from anonymizer.leaves import Leaves, Tools, age
from anonymizer.plan import REPEATING, Entry, Plan, Step, resolve
from anonymizer.private import creator_tag, fitting, private_tags
from anonymizer.text.encoding import encodings
from anonymizer.values import NUMBER_VRS

CONTENT_SEQUENCE: Final = 0x0040A730
CONTENT_TEMPLATE: Final = 0x0040A504
#: Group of pixel data: in items it stands for icons only, and those go.
PIXELS: Final = 0x7FE0
_READ: Final = {Step.TEXT: "scan", Step.FREE_TEXT: "free", Step.KNOWN_TEXT: "known"}


class Pass:
    """One instance's de-identification: what was done so far, and how to do the rest.

    Attributes
    ----------
    replaced
        Pseudonymous to original UID; retained UIDs stand for themselves.
    actions
        How often each rule was applied, by (tag, rule).
    """

    def __init__(self, plan: Plan, sop_class_uid: str, tools: Tools) -> None:
        self._plan = plan
        self._types = plan.types_of(sop_class_uid)
        self._top = plan.known_at_top(sop_class_uid)
        self._tools = tools
        self._leaves = Leaves(tools)
        self.replaced = self._leaves.replaced
        self.actions = self._leaves.actions

    def transform(self, dataset: Dataset, parent: int, inherited: tuple[str, ...] = ("iso8859",)) -> Dataset:
        """A de-identified copy; `parent` is the tag of the enclosing sequence or 0."""
        result: Dataset = {}
        entries, actions = self._plan.entries, self.actions
        known = self._plan.known_in_items(parent) if parent else self._top
        codecs = encodings(dataset, inherited)
        for tag, element in dataset.items():
            entry = entries.get(tag)
            if entry is None or (parent and tag >> 16 == PIXELS):
                if not tag & 0x10000:
                    actions[tag, _why_unknown(tag)] += 1
                continue
            step = entry.step
            if known is not None and tag not in known and not entry.listed and entry.vr not in NUMBER_VRS:
                actions[tag, "unknown-to-class"] += 1
                continue
            if step is Step.KEEP and not isinstance(element.value, list) and element.vr != "UN":
                result[tag] = element
                continue
            kept = self._apply(tag, element, entry, parent, codecs)
            if kept is not None:
                result[tag] = kept
        self._private(dataset, result, codecs)
        if {CONTENT_TEMPLATE, CONTENT_SEQUENCE} <= result.keys() and not self._plan.keeps_content:
            del result[CONTENT_TEMPLATE]  # the dummy content follows no template
        return result

    # ------------------------------------------------------------------ standard attributes

    def _apply(
        self, tag: int, element: Element, entry: Entry, parent: int, codecs: tuple[str, ...]
    ) -> Element | None:
        step = entry.step
        if step is Step.REMOVE:
            self.actions[tag, entry.rule] += 1
            return None
        if (entry.vr == "SQ") is not isinstance(element.value, list) or (
            element.vr == "UN" and entry.vr != "UN"
        ):
            # Neither the table nor the standard says what this would be.
            self.actions[tag, "unknown-value"] += 1
            return None
        if step is Step.BY_TYPE:
            step = resolve(entry.rule, parent, tag, self._types)
        if entry.rule != "keep":
            self.actions[tag, entry.rule] += 1
        if step is Step.REMOVE:
            return None
        if isinstance(element.value, list):
            return self._sequence(tag, element.value, step, codecs)
        if not isinstance(element.value, bytes):
            return element if step is Step.KEEP else None  # very large, where nothing large belongs
        kept = self._carry_out(step, tag, element, element.value, entry, codecs)
        if kept is None and entry.otherwise != "X":
            return self._basic(tag, element, entry, parent)
        return kept

    def _basic(self, tag: int, element: Element, entry: Entry, parent: int) -> Element | None:
        """The Basic Profile's action, where a value cannot be cleaned."""
        step = resolve(entry.otherwise, parent, tag, self._types)
        if step is Step.DUMMY:
            return dummy(_vr(element, entry))
        return Element(_vr(element, entry), b"") if step is Step.EMPTY else None

    def _sequence(
        self, tag: int, items: list[Dataset], step: Step, codecs: tuple[str, ...]
    ) -> Element | None:
        if step is Step.CONTENT:
            kept = self._content(tag, items, codecs, removable=not refers_by_position(items))
            return Element("SQ", kept) if kept or not items else None  # no content is no sequence
        if step in {Step.DUMMY, Step.EMPTY}:
            return Element("SQ", dummy_items(tag) if step is Step.DUMMY else [])
        return Element("SQ", [self.transform(item, tag, codecs) for item in items])

    def _carry_out(
        self, step: Step, tag: int, element: Element, value: bytes, entry: Entry, codecs: tuple[str, ...]
    ) -> Element | None:
        how = _READ.get(step)
        if how is not None:
            return self._leaves.text(tag, element, how, codecs)
        if step is Step.NUMBER:
            return self._leaves.number(tag, element, value, entry.vr)
        if step in {Step.DATE, Step.KEEP_DATE}:
            return self._leaves.date(tag, value, entry.vr, self._tools.days if step is Step.DATE else 0)
        if step is Step.KEEP:
            return element
        if step is Step.AGE:
            return age(value)
        if step is Step.KEEP_UID or (entry.vr == "UI" and step is not Step.EMPTY):
            return Element("UI", self._leaves.uids(tag, value, step))
        if step is Step.DUMMY:
            return dummy(_vr(element, entry))
        return Element(_vr(element, entry), b"") if step is Step.EMPTY else None

    # ------------------------------------------------------------------ content items

    def _content(
        self, tag: int, items: list[Dataset], codecs: tuple[str, ...], *, removable: bool
    ) -> list[Dataset]:
        kept = []
        for item in items:
            action = self._tools.content.action(item)
            if action:
                self.actions[tag, f"content-{action}"] += 1
            if action == "X" and removable:
                continue
            kept.append(self._content_item(item, tag, action, encodings(item, codecs)))
        return kept

    def _content_item(self, item: Dataset, parent: int, action: str, codecs: tuple[str, ...]) -> Dataset:
        values = {tag: item[tag] for tag in VALUES if tag in item}
        result = self.transform({t: e for t, e in item.items() if t not in values}, parent, codecs)
        for tag, element in values.items():
            kept = self._content_value(tag, element, action, codecs)
            result[tag] = dummy_value(tag, element) if kept is None or not kept.value else kept
        return result

    def _content_value(
        self, tag: int, element: Element, action: str, codecs: tuple[str, ...]
    ) -> Element | None:
        kind, value = VALUES[tag], element.value
        if not isinstance(value, bytes):
            return None
        if kind == "uid":
            step = self._plan.entries[tag].step
            return Element("UI", self._leaves.uids(tag, value, step if step is Step.KEEP_UID else Step.UID))
        if action in {"X", "D"} or kind == "name":
            return None
        if kind == "text":
            return self._leaves.text(tag, element, "known" if action == "K" else "free", codecs)
        # Also in an item of another value type, or of none: what the options say of dates.
        action = self._tools.content.of_dates
        if not action:
            return None
        vr = {"datetime": "DT", "date": "DA", "time": "TM"}[kind]
        return self._leaves.date(tag, value, vr, self._tools.days if action == "C" else 0)

    # ------------------------------------------------------------------ private attributes

    def _private(self, dataset: Dataset, result: Dataset, codecs: tuple[str, ...]) -> None:
        odd = [tag for tag in dataset if tag & 0x10000]
        if not odd:
            return
        places = private_tags(dataset) if self._tools.safe_private else {}
        for tag in odd:
            place = places.get(tag)
            vr = self._tools.safe_private.get(place) if place else None
            element = fitting(dataset[tag], vr, self._tools.codec) if vr else None
            kept = self._private_value(tag, element, codecs) if element else None
            if kept is None:
                self.actions[tag, "private"] += 1
                continue
            self.actions[tag, "safe-private"] += 1
            result[tag] = kept
            creator = creator_tag(tag)
            result[creator] = Element("LO", places[tag].creator.encode("ascii"))

    def _private_value(self, tag: int, element: Element, codecs: tuple[str, ...]) -> Element | None:
        value, vr = element.value, element.vr
        if isinstance(value, list):
            return Element("SQ", [self.transform(item, tag, codecs) for item in value])
        if vr == "UI" and isinstance(value, bytes):
            return Element("UI", self._leaves.uids(tag, value, Step.ANY_UID))
        if vr in {"CS", "LO", "LT", "SH", "ST"}:
            cleaned = self._leaves.text(tag, element, "free", codecs)
            return cleaned if cleaned.value or not value else None
        if vr in {"DS", "IS"} and isinstance(value, bytes):
            return self._leaves.number(tag, element, value, vr)
        return element


def _vr(element: Element, entry: Entry) -> str:
    """The standard's VR where it is one, else the one that the element came with."""
    return entry.vr if " or " not in entry.vr else element.vr


def _why_unknown(tag: int) -> str:
    if not tag & 0xFFFF:
        return "group-length"
    if tag >> 24 in REPEATING:
        return "curve-or-overlay"
    return "unknown-attribute"
