"""Reads an output again, from its bytes, and refuses it where anything is left of what had to go.

Two nets. The first holds the output against Table E.1-1 itself, not against what the engine decided: every
attribute that the table names and no option retains is absent, empty or a dummy, and every UID is a
pseudonym or the standard's. The second looks for the people of the input (`evidence`) in every string and
binary value that is no pixel.

References
----------
PS3.15 §E.1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anonymizer.codec import Encapsulated
from anonymizer.content import VALUES as CONTENT_VALUES
from anonymizer.dummies import DUMMY_TEXTS
from anonymizer.errors import CannotVouch
from anonymizer.outcome import keyword
from anonymizer.pixels.extent import PIXELS
from anonymizer.plan import REPEATING, Step
from anonymizer.private import creator_tag, private_tags
from anonymizer.profile import Option
from anonymizer.text.encoding import decode, encodings
from anonymizer.text.evidence import BIRTH_DATES
from anonymizer.uids import is_registered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anonymizer.codec import Dataset, Element
    from anonymizer.part10 import Part10
    from anonymizer.plan import Plan
    from anonymizer.private import PrivateTag
    from anonymizer.profile import Profile
    from anonymizer.table import Table
    from anonymizer.text.elements import ElementText
    from anonymizer.text.evidence import Evidence

#: VRs of pixels; anything else under their tag is searched.
SAMPLE_VRS: Final = frozenset({"OB", "OB or OW", "OD", "OF", "OL", "OV", "OW"})
PATIENT: Final = frozenset({0x00100010, 0x00100020})
_TEXT_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_DATE_VRS: Final = frozenset({"DA", "DT"})
_DATE_OPTIONS: Final = frozenset(
    {Option.RETAIN_LONGITUDINAL_FULL_DATES, Option.RETAIN_LONGITUDINAL_MODIFIED_DATES}
)
_FIXED: Final = frozenset({Step.KNOWN_TEXT, Step.DATE, Step.KEEP_DATE})
_UID_LIKE: Final = re.compile(r"\d+(?:\.\d+){3,}")
#: Shorter ones would turn up in binary data by chance.
_MIN_BINARY: Final = 5
_REVIEW: Final = "the object is kept back; look at it before you release it"


@dataclass(frozen=True, slots=True)
class _Rules:
    """What holds for outputs of a profile.

    Attributes
    ----------
    listed
        Action of the Basic Profile, by tag, where no option says otherwise.
    cleaned
        The step, by tag, where an option keeps or cleans.
    fixed
        Text that is searched for identifiers that are known, not for what looks like one.
    """

    listed: dict[int, str]
    cleaned: dict[int, Step]
    fixed: frozenset[int]
    instance_uids: frozenset[int]
    safe_private: Mapping[tuple[str, int, int], str]
    dates_stay: bool


class Verifier:
    """Checks outputs of one profile."""

    def __init__(
        self,
        table: Table,
        plan: Plan,
        profile: Profile,
        part10: Part10,
        safe_private: Mapping[tuple[str, int, int], str],
    ) -> None:
        self._part10 = part10
        cleaned = {tag: entry.step for tag, entry in plan.entries.items() if entry.rule in {"K", "C"}}
        self._rules = _Rules(
            listed={
                tag: rule.basic for tag, rule in table.by_tag.items() if tag not in cleaned and tag >> 16 >= 8
            },
            cleaned=cleaned,
            fixed=frozenset(
                tag for tag, entry in plan.entries.items() if entry.step in _FIXED or entry.rule == "K"
            ),
            instance_uids=frozenset(tag for tag, rule in table.by_tag.items() if rule.basic == "U"),
            safe_private=safe_private,
            dates_stay=bool(_DATE_OPTIONS & profile.options),
        )

    def check(
        self, data: bytes, words: ElementText, uids: Mapping[str, str], patient: str, own: Dataset
    ) -> None:
        """Pass in silence, or refuse.

        Parameters
        ----------
        words
            What is known of the people of the study.
        uids
            Pseudonymous to original UIDs.
        patient
            The patient's pseudonym.
        own
            What the anonymizer itself states in the instance.

        Raises
        ------
        CannotVouch
            The message names rule and keyword, never a value.
        """
        if any(data[:128]):
            raise CannotVouch("preamble", _REVIEW)
        file = self._part10.read(data)
        scan = _Scan(self._rules, uids, patient.encode())
        dataset = {tag: el for tag, el in file.dataset.items() if not _says(el, own.get(tag))}
        scan.walk(dataset, ("iso8859",))
        scan.look_for(words, set(uids.values()) - uids.keys())


def _says(element: Element, own: Element | None) -> bool:
    """Whether an element is the anonymizer's own statement, padding aside."""
    if own is None:
        return False
    if isinstance(own.value, list):
        return (
            isinstance(element.value, list)
            and len(element.value) == len(own.value)
            and all(
                item.keys() == mine.keys() and all(_says(item[tag], mine[tag]) for tag in mine)
                for item, mine in zip(element.value, own.value, strict=True)
            )
        )
    return (
        isinstance(own.value, bytes)
        and isinstance(element.value, bytes)
        and element.value.rstrip(b" ") == own.value
    )


class _Scan:
    """One pass over an output: structural rules at once, its strings gathered for the search."""

    def __init__(self, rules: _Rules, uids: Mapping[str, str], patient: bytes) -> None:
        self._rules = rules
        self._uids = uids
        self._patient = patient
        self._texts: list[tuple[int, str]] = []
        self._dates: list[tuple[int, str]] = []
        self._other: list[tuple[int, bytes]] = []

    def walk(self, dataset: Dataset, inherited: tuple[str, ...], *, content: bool = False) -> None:
        """Check the rules of structure and gather strings, items included.

        Parameters
        ----------
        content
            The data set is a content item that was cleaned: its value is text to search.
        """
        codecs = encodings(dataset, inherited)
        private = private_tags(dataset) if self._rules.safe_private else {}
        for tag, (vr, value) in dataset.items():
            if tag & 0x10000:
                if not self._is_safe_private(tag, private):
                    raise CannotVouch("private-attribute", _REVIEW, f"{tag:08X}")
            elif tag >> 24 in REPEATING:
                raise CannotVouch("attribute-not-removed", _REVIEW, keyword(tag))
            action = None if content and tag in CONTENT_VALUES else self._rules.listed.get(tag)
            if action == "X":
                raise CannotVouch("attribute-not-removed", _REVIEW, keyword(tag))
            if isinstance(value, list):
                if action == "Z" and value:
                    raise CannotVouch("attribute-not-emptied", _REVIEW, keyword(tag))
                of_content = self._rules.cleaned.get(tag) is Step.CONTENT
                for item in value:
                    self.walk(item, codecs, content=of_content)
            elif not isinstance(value, Encapsulated) and not (tag in PIXELS and vr in SAMPLE_VRS):
                self._leaf(tag, vr, bytes(value), action, codecs)

    def _is_safe_private(self, tag: int, places: Mapping[int, PrivateTag]) -> bool:
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return any(creator_tag(other) == tag for other in places)
        place = places.get(tag)
        return place is not None and place in self._rules.safe_private

    def _leaf(self, tag: int, vr: str, value: bytes, action: str | None, codecs: tuple[str, ...]) -> None:
        if vr == "UI":
            self._check_uids(tag, value)
        elif action is not None:
            self._check_dummy(tag, value)
        elif vr in _TEXT_VRS:
            self._texts.append((tag, decode(value, vr, codecs)))
        elif vr in _DATE_VRS:
            if not self._rules.dates_stay:
                self._dates.append((tag, decode(value, vr, codecs)))
        elif value not in DUMMY_TEXTS:
            self._other.append((tag, value))  # numbers, and what somebody may have put in their place

    def _check_uids(self, tag: int, value: bytes) -> None:
        instance = tag in self._rules.instance_uids
        for part in value.decode("latin-1").split("\\"):
            uid = part.strip(" \0")
            if uid and uid not in self._uids and not is_registered(uid, tag, instance=instance):
                raise CannotVouch("uid-not-replaced", _REVIEW, keyword(tag))

    def _check_dummy(self, tag: int, value: bytes) -> None:
        if not value or value in DUMMY_TEXTS or not any(value):
            return
        if tag in PATIENT and value.rstrip(b" ^") == self._patient:
            return
        raise CannotVouch("attribute-not-replaced", _REVIEW, keyword(tag))

    def look_for(self, words: ElementText, original_uids: set[str]) -> None:
        """Search everything gathered for the people and UIDs of the input."""
        evidence = words.evidence
        blob = "\n".join(text for _, text in self._texts).casefold()
        for string, source in evidence.strings.items():
            if string in blob:
                self._refuse_text(string, source)
        for date, source in evidence.dates.items():
            if date in blob and source in BIRTH_DATES:
                self._refuse_text(date, source)
            for tag, text in self._dates:
                if date in text:
                    raise _found(source, tag)
        if not original_uids.isdisjoint(_UID_LIKE.findall(blob)):
            raise CannotVouch("original-uid-in-text", _REVIEW)
        for tag, text in self._texts:
            kind = None if tag in self._rules.fixed else words.residual(text)
            if kind is not None:
                raise CannotVouch("text-identifies", f"{kind} in text; {_REVIEW}", keyword(tag))
        self._look_into_other(evidence)

    def _look_into_other(self, evidence: Evidence) -> None:
        blob = b"\n".join(value for _, value in self._other).lower()
        for string, source in evidence.strings.items():
            if len(string) < _MIN_BINARY or string.isdecimal() or string.encode() not in blob:
                continue
            for tag, value in self._other:
                if string.encode() in value.lower():
                    raise _found(source, tag)

    def _refuse_text(self, string: str, source: int) -> None:
        pattern = re.compile(rf"(?<![^\W_]){re.escape(string)}(?![^\W_])")
        for tag, text in self._texts:
            if pattern.search(text.casefold()):
                raise _found(source, tag)


def _found(source: int, tag: int) -> CannotVouch:
    return CannotVouch(
        "identity-left",
        f"the original value of {keyword(source)} stands in this attribute; {_REVIEW}",
        keyword(tag),
    )
