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
from typing import TYPE_CHECKING, Final

from pydicom.datadict import keyword_for_tag

from anonymizer.codec import Encapsulated
from anonymizer.dummies import DUMMY_TEXTS
from anonymizer.errors import CannotVouch
from anonymizer.markers import markers
from anonymizer.pixels.extent import PIXELS
from anonymizer.plan import REPEATING
from anonymizer.text import decode, encodings
from anonymizer.uids import is_registered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anonymizer.codec import Dataset, Element
    from anonymizer.evidence import Evidence
    from anonymizer.part10 import Part10
    from anonymizer.profile import Profile
    from anonymizer.table import Table

#: VRs of pixels; anything else under their tag is searched.
SAMPLE_VRS: Final = frozenset({"OB", "OB or OW", "OD", "OF", "OL", "OV", "OW"})
PATIENT: Final = frozenset({0x00100010, 0x00100020})
_TEXT_VRS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_DATE_VRS: Final = frozenset({"DA", "DT"})
_UID_LIKE: Final = re.compile(r"\d+(?:\.\d+){3,}")
#: Shorter ones would turn up in binary data by chance.
_MIN_BINARY: Final = 5
_REVIEW: Final = "the object is kept back; look at it before you release it"


def keyword(tag: int) -> str:
    """The keyword of a tag, or its eight digits."""
    return keyword_for_tag(tag) or f"{tag:08X}"


class Verifier:
    """Checks outputs of one profile."""

    def __init__(self, table: Table, profile: Profile, part10: Part10) -> None:
        self._part10 = part10
        self._own = markers(profile, table.edition)
        self._listed = {
            tag: rule.basic
            for tag, rule in table.by_tag.items()
            if not profile.keeps(rule) and tag >> 16 >= 8
        }
        self._instance_uids = frozenset(tag for tag, rule in table.by_tag.items() if rule.basic == "U")

    def check(self, data: bytes, evidence: Evidence, uids: Mapping[str, str], patient: str) -> None:
        """Pass in silence, or refuse.

        Parameters
        ----------
        uids
            Pseudonymous to original UIDs.
        patient
            The patient's pseudonym.

        Raises
        ------
        CannotVouch
            The message names rule and keyword, never a value.
        """
        if any(data[:128]):
            raise CannotVouch("preamble", _REVIEW)
        file = self._part10.read(data)
        scan = _Scan(self._listed, self._instance_uids, uids, patient.encode())
        dataset = {tag: el for tag, el in file.dataset.items() if not _says(el, self._own.get(tag))}
        scan.walk(dataset, ("iso8859",))
        scan.look_for(evidence, set(uids.values()) - uids.keys())


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

    def __init__(
        self,
        listed: dict[int, str],
        instance_uids: frozenset[int],
        uids: Mapping[str, str],
        patient: bytes,
    ) -> None:
        self._listed = listed
        self._instance_uids = instance_uids
        self._uids = uids
        self._patient = patient
        self._texts: list[tuple[int, str]] = []
        self._dates: list[tuple[int, str]] = []
        self._other: list[tuple[int, bytes]] = []

    def walk(self, dataset: Dataset, inherited: tuple[str, ...]) -> None:
        """Check the rules of structure and gather strings, items included."""
        codecs = encodings(dataset, inherited)
        for tag, (vr, value) in dataset.items():
            action = self._listed.get(tag)
            if tag & 0x10000:
                raise CannotVouch("private-attribute", _REVIEW, f"{tag:08X}")
            if action == "X" or tag >> 24 in REPEATING:
                raise CannotVouch("attribute-not-removed", _REVIEW, keyword(tag))
            if isinstance(value, list):
                if action == "Z" and value:
                    raise CannotVouch("attribute-not-emptied", _REVIEW, keyword(tag))
                for item in value:
                    self.walk(item, codecs)
            elif not isinstance(value, Encapsulated) and not (tag in PIXELS and vr in SAMPLE_VRS):
                self._leaf(tag, vr, bytes(value), action, codecs)

    def _leaf(self, tag: int, vr: str, value: bytes, action: str | None, codecs: tuple[str, ...]) -> None:
        if vr == "UI":
            self._check_uids(tag, value)
        elif action is not None:
            self._check_dummy(tag, value)
        elif vr in _TEXT_VRS:
            self._texts.append((tag, decode(value, vr, codecs)))
        elif vr in _DATE_VRS:
            self._dates.append((tag, decode(value, vr, codecs)))
        else:
            self._other.append((tag, value))  # numbers, and what somebody may have put in their place

    def _check_uids(self, tag: int, value: bytes) -> None:
        instance = tag in self._instance_uids
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

    def look_for(self, evidence: Evidence, original_uids: set[str]) -> None:
        """Search everything gathered for the people and UIDs of the input."""
        blob = "\n".join(text for _, text in self._texts).casefold()
        for string, source in evidence.strings.items():
            if string in blob:
                self._refuse_text(string, source)
        for date, source in evidence.dates.items():
            if date in blob:
                self._refuse_text(date, source)
            for tag, text in self._dates:
                if date in text:
                    raise _found(source, tag)
        if not original_uids.isdisjoint(_UID_LIKE.findall(blob)):
            raise CannotVouch("original-uid-in-text", _REVIEW)
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
