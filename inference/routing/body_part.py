"""Body parts: what sites write, as codes of SNOMED CT (PS3.16 CID 4030, CID 4031, Annex L).

`body_parts.yaml` beside this module holds the parts, their codes, and words of protocols and descriptions in
seven languages. What it does not know, it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from inference.attributes import (
    ANATOMIC_REGION_SEQUENCE,
    BODY_PART_EXAMINED,
    CODE_MEANING,
    CODE_VALUE,
    FRAME_ANATOMY_SEQUENCE,
    PROTOCOL_NAME,
    REQUESTED_PROCEDURE_DESCRIPTION,
    SERIES_DESCRIPTION,
    SHARED_FUNCTIONAL_GROUPS,
    STUDY_DESCRIPTION,
    items,
    text,
    written,
)
from inference.descriptions import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

_TABLE = Path(__file__).with_name("body_parts.yaml")
#: Where a body part is looked for after its own attributes, the most reliable place first.
_DESCRIPTIONS = (
    (PROTOCOL_NAME, "Protocol Name"),
    (SERIES_DESCRIPTION, "Series Description"),
    (STUDY_DESCRIPTION, "Study Description"),
    (REQUESTED_PROCEDURE_DESCRIPTION, "Requested Procedure Description"),
)
#: The most words that one name of a part is made of ("chest abdomen pelvis").
_WORDS = 3


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A part of the body.

    Attributes
    ----------
    term
        Defined term of Body Part Examined (0018,0015), PS3.16 Annex L.
    sct
        Code value in SNOMED CT.
    inside
        The term of the part that it lies in.
    covers
        Terms of the parts that a combined region shows whole.
    also
        Codes of older editions and of SRT that mean it too.
    words
        Other ways of writing it, upper case, letters and digits only.
    """

    term: str
    sct: str
    inside: str | None = None
    covers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundBodyPart:
    """A body part, and the attribute that told it."""

    term: str
    sct: str
    source: str


def read_body_parts() -> tuple[BodyPart, ...]:
    """The parts of `body_parts.yaml`, in its order."""
    rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return tuple(
        BodyPart(
            term=row["term"],
            sct=row["sct"],
            inside=row.get("in"),
            covers=tuple(row.get("covers", ())),
            also=tuple(row.get("also", ())),
            words=tuple(row.get("words", "").split()),
        )
        for row in rows
    )


class BodyPartTable:
    """The table with its indices."""

    def __init__(self, parts: tuple[BodyPart, ...] | None = None) -> None:
        parts = read_body_parts() if parts is None else parts
        self._by_term = {part.term: part for part in parts}
        self._by_code = {code: part for part in parts for code in (part.sct, *part.also)}
        self._by_word = {word: part for part in parts for word in (part.term, *part.words)}
        self._by_cover = {frozenset(part.covers): part for part in parts if part.covers}

    def terms(self) -> tuple[str, ...]:
        """All terms, in the order of the table."""
        return tuple(self._by_term)

    def named(self, name: str) -> BodyPart | None:
        """The part that a term, a word or a SNOMED code names, or `None`."""
        return self._by_code.get(name.strip().upper()) or self._by_word.get(_letters(name))

    def lies_in(self, term: str, region: str) -> bool:
        """Whether a part is `region` or lies inside it."""
        current: str | None = term
        while current is not None:
            if current == region:
                return True
            current = self._by_term[current].inside
        return False

    def shows(self, term: str, region: str) -> bool:
        """Whether images of `term` are images of `region`: it lies in it, or is a combined region with it."""
        return self.lies_in(term, region) or region in self._by_term[term].covers

    def find(self, attributes: Mapping[str, Any]) -> FoundBodyPart | None:
        """The body part that an instance's attributes name, by the first of them that names a known one.

        Body Part Examined, then the Anatomic Region Sequence (of the image or shared by its frames), then
        protocol, series, study and requested procedure description (which de-identification may remove).
        """
        examined = written(attributes, BODY_PART_EXAMINED)
        part = self.named(examined) or self._in_words(examined)
        if part is not None:
            return FoundBodyPart(part.term, part.sct, "Body Part Examined")
        for item in _regions(attributes):
            part = self._by_code.get(text(item, CODE_VALUE)) or self._in_words(written(item, CODE_MEANING))
            if part is not None:
                return FoundBodyPart(part.term, part.sct, "Anatomic Region Sequence")
        for tag, name in _DESCRIPTIONS:
            part = self._in_words(written(attributes, tag))
            if part is not None:
                return FoundBodyPart(part.term, part.sct, name)
        return None

    def _in_words(self, description: str) -> BodyPart | None:
        found = list(dict.fromkeys(part.term for part in self._all_in_words(description)))
        if not found:
            return None
        # "Thorax/Abdomen": all that is named, where there is a term for it.
        combined = self._by_cover.get(frozenset(found))
        return combined or self._by_term[found[0]]

    def _all_in_words(self, description: str) -> Iterator[BodyPart]:
        words = re.findall(r"[A-Z0-9]+", plain(_split_humps(description)))
        start = 0
        while start < len(words):
            # Most words first: the femoral head is no head.
            for length in range(min(_WORDS, len(words) - start), 0, -1):
                part = self._by_word.get("".join(words[start : start + length]))
                if part is not None:
                    yield part
                    start += length
                    break
            else:
                start += 1


def _regions(attributes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from items(attributes, ANATOMIC_REGION_SEQUENCE)
    for groups in items(attributes, SHARED_FUNCTIONAL_GROUPS):
        for anatomy in items(groups, FRAME_ANATOMY_SEQUENCE):
            yield from items(anatomy, ANATOMIC_REGION_SEQUENCE)


def _split_humps(description: str) -> str:
    """`ThoraxRoutine` as two words."""
    return re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", description)


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", plain(name))
