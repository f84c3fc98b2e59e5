"""Carries out the plan on a data set and all its items.

References
----------
PS3.15 Table E.1-1a (action codes).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from anonymizer.codec import Dataset, Element
from anonymizer.dummies import dummy, dummy_items
from anonymizer.plan import REPEATING, Entry, Step, resolve
from anonymizer.uids import UidMapper, is_registered

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_SEQUENCE: Final = 0x0040A730
CONTENT_TEMPLATE: Final = 0x0040A504
#: Group of pixel data: in items it stands for icons only, and those go.
PIXELS: Final = 0x7FE0
#: Years; HIPAA's safe harbour counts all ages above as one.
OLDEST: Final = 89
_PER_YEAR: Final = {b"D": 365.25, b"W": 52.18, b"M": 12.0, b"Y": 1.0}


class Pass:
    """One instance's de-identification: what was done so far, and how to do the rest.

    Parameters
    ----------
    entries
        Steps by tag (`Plan.entries`).
    types
        Types of attributes in the instance's IOD (`Plan.for_class`).

    Attributes
    ----------
    replaced
        Pseudonymous to original UID.
    actions
        How often each rule was applied.
    """

    def __init__(self, entries: Mapping[int, Entry], types: dict[int, str] | None, uids: UidMapper) -> None:
        self._entries = entries
        self._types = types
        self._uids = uids
        self.replaced: dict[str, str] = {}
        self.actions: Counter[str] = Counter()

    def transform(self, dataset: Dataset, parent: int) -> Dataset:
        """A de-identified copy; `parent` is the tag of the enclosing sequence or 0."""
        result: Dataset = {}
        entries = self._entries
        for tag, element in dataset.items():
            entry = entries.get(tag)
            if entry is None or (parent and tag >> 16 == PIXELS):
                self.actions[_why_unknown(tag)] += 1
                continue
            step = entry.step
            if step is Step.KEEP and not isinstance(element.value, list) and element.vr != "UN":
                result[tag] = element
                continue
            kept = self._apply(tag, element, entry, step, parent)
            if kept is not None:
                result[tag] = kept
        if CONTENT_TEMPLATE in result and CONTENT_SEQUENCE in result:
            del result[CONTENT_TEMPLATE]  # the dummy content follows no template
        return result

    def _apply(self, tag: int, element: Element, entry: Entry, step: Step, parent: int) -> Element | None:
        if step is Step.REMOVE:
            self.actions[entry.rule] += 1
            return None
        if (entry.vr == "SQ") is not isinstance(element.value, list) or (
            element.vr == "UN" and entry.vr != "UN"
        ):
            # Neither the table nor the standard says what this would be.
            self.actions["unknown-value"] += 1
            return None
        if step is Step.BY_TYPE:
            step = resolve(entry.rule, parent, tag, self._types)
        if entry.rule != "keep":
            self.actions[entry.rule] += 1
        return None if step is Step.REMOVE else self._carry_out(step, tag, element, entry)

    def _carry_out(self, step: Step, tag: int, element: Element, entry: Entry) -> Element | None:
        value = element.value
        if isinstance(value, list):
            if step is Step.RECURSE:
                return Element("SQ", [self.transform(item, tag) for item in value])
            return Element("SQ", dummy_items(tag) if step is Step.DUMMY else [])
        if step is Step.RETAIN:
            return element
        if not isinstance(value, bytes):
            return None  # encapsulated or very large, where neither belongs
        if step is Step.AGE:
            return _age(value)
        if entry.vr == "UI" and step is not Step.EMPTY:
            return Element("UI", self._replace_uids(tag, value, instance=step is not Step.ANY_UID))
        if step is Step.DUMMY:
            return dummy(_vr(element, entry))
        return Element(_vr(element, entry), b"") if step is Step.EMPTY else None

    def _replace_uids(self, tag: int, value: bytes, *, instance: bool) -> bytes:
        replaced = []
        for part in value.decode("latin-1").split("\\"):
            uid = part.strip(" \0")
            if not uid or is_registered(uid, tag, instance=instance):
                replaced.append(uid)
                continue
            pseudonym = self._uids.pseudonym(uid)
            self.replaced[pseudonym] = uid
            replaced.append(pseudonym)
        return "\\".join(replaced).encode("latin-1")


def _vr(element: Element, entry: Entry) -> str:
    """The standard's VR where it is one, else the one that the element came with."""
    return entry.vr if " or " not in entry.vr else element.vr


def _age(value: bytes) -> Element | None:
    """Age String up to 89 years as it is, above as 90; nothing where it is malformed."""
    text = value.strip(b" \0")
    if not text:
        return Element("AS", b"")
    if len(text) != 4 or not text[:3].isdigit() or text[3:] not in _PER_YEAR:
        return None
    years = int(text[:3]) / _PER_YEAR[text[3:]]
    return Element("AS", b"090Y" if years >= OLDEST + 1 else text)


def _why_unknown(tag: int) -> str:
    group = tag >> 16
    if group & 1:
        return "private"
    if not tag & 0xFFFF:
        return "group-length"
    if group >> 8 in REPEATING:
        return "curve-or-overlay"
    return "unknown-attribute"
