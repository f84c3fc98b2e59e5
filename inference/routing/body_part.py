"""Body parts: what sites write, as codes of SNOMED CT (PS3.16 CID 4030, CID 4031, Annex L).

A small table on purpose: the parts that models are made for, their terms for Body Part Examined, and
words of protocols and descriptions in the languages that we saw. What it does not know, it says so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.attributes import (
    ANATOMIC_REGION_SEQUENCE,
    BODY_PART_EXAMINED,
    CODE_VALUE,
    PROTOCOL_NAME,
    SERIES_DESCRIPTION,
    STUDY_DESCRIPTION,
    items,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


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
    words
        Other ways of writing it, upper case, letters and digits only.
    """

    term: str
    sct: str
    inside: str | None = None
    words: tuple[str, ...] = ()


BODY_PARTS = (
    BodyPart("WHOLEBODY", "38266002", None, ("WHOLEBODY", "WB", "GANZKOERPER")),
    BodyPart("HEADNECK", "774007", None, ("HEADANDNECK", "KOPFHALS", "HNO")),
    BodyPart("HEAD", "69536005", "HEADNECK", ("KOPF", "TETE", "TESTA", "CABEZA", "CAPO")),
    BodyPart(
        "BRAIN",
        "12738006",
        "HEAD",
        ("CEREBRUM", "CEREBRAL", "CEREBRO", "CERVEAU", "ENCEFALO", "GEHIRN", "HIRN", "NEUROCRANIUM",
         "NEUROCRANIO", "SCHADELHIRN", "CRANIAL", "CRANIUM", "CRANE", "SCHAEDEL", "SCHADEL"),
    ),
    BodyPart("SKULL", "89546000", "HEAD", ("CALVARIA",)),
    BodyPart("FACE", "89545001", "HEAD", ("FACIAL", "MIDFACE")),
    BodyPart("ORBIT", "363654007", "HEAD", ("ORBITS", "ORBITA", "EYE", "EYES")),
    BodyPart("PARANASALSINUS", "2095001", "HEAD", ("SINUS", "SINUSES", "NNH", "SINUSPARANASAL")),
    BodyPart("PITUITARY", "56329008", "BRAIN", ("SELLA", "HYPOPHYSE", "HYPOPHYSIS")),
    BodyPart("EAR", "117590005", "HEAD", ("IAC", "INNEREAR", "TEMPORALBONE", "FELSENBEIN")),
    BodyPart("NECK", "45048000", "HEADNECK", ("HALS", "COU", "COLLO", "CUELLO")),
    BodyPart("CSPINE", "122494005", "NECK", ("HWS", "CERVICALSPINE", "CSPINE")),
    BodyPart("TSPINE", "122495006", "CHEST", ("BWS", "THORACICSPINE")),
    BodyPart("LSPINE", "122496007", "ABDOMEN", ("LWS", "LUMBARSPINE")),
    BodyPart("SPINE", "421060004", None, ("WIRBELSAULE", "WIRBELSAEULE", "RACHIS")),
    BodyPart("CHEST", "816094009", None, ("THORAX", "LUNG", "LUNGS", "POUMON", "TORAX", "PULMONARY")),
    BodyPart("HEART", "80891009", "CHEST", ("CARDIAC", "COEUR", "HERZ")),
    BodyPart("BREAST", "76752008", "CHEST", ("MAMMA", "BREASTS", "MAMMOGRAPHY")),
    BodyPart("ABDOMEN", "818981001", None, ("ABD", "BAUCH", "ABDOMINAL")),
    BodyPart("LIVER", "10200004", "ABDOMEN", ("LEBER", "HEPATIC", "FOIE")),
    BodyPart("KIDNEY", "64033007", "ABDOMEN", ("RENAL", "NIERE", "NIEREN", "KIDNEYS")),
    BodyPart("PELVIS", "816092008", None, ("BECKEN", "PELVIC", "BASSIN")),
    BodyPart("PROSTATE", "41216001", "PELVIS", ("PROSTATA",)),
    BodyPart("HIP", "24136001", "PELVIS", ("HUEFTE", "HUFTE", "HANCHE", "FEMORALHEAD")),
    BodyPart("SHOULDER", "16982005", None, ("SCHULTER", "EPAULE", "HUMERALHEAD")),
    BodyPart("KNEE", "72696002", None, ("KNIE", "GENOU")),
    BodyPart("ANKLE", "70258002", None, ("OSG", "CHEVILLE")),
    BodyPart("FOOT", "56459004", None, ("FUSS", "PIED")),
    BodyPart("HAND", "85562004"),
    BodyPart("WRIST", "74670003", None, ("HANDGELENK", "POIGNET")),
    BodyPart("ELBOW", "16953009", None, ("ELLENBOGEN", "COUDE")),
)  # fmt: skip

#: Codes of SNOMED that mean a part of the table too, or that older editions used for it.
_OTHER_CODES = {
    "1101003": "HEAD",
    "128319008": "BRAIN",
    "51185008": "CHEST",
    "113345001": "ABDOMEN",
    "12921003": "PELVIS",
    "T-D1100": "HEAD",
    "T-A0100": "BRAIN",
    "T-D3000": "CHEST",
    "T-D4000": "ABDOMEN",
}
#: Where a body part is looked for, the most reliable place first.
_DESCRIPTIONS = (
    (PROTOCOL_NAME, "Protocol Name"),
    (SERIES_DESCRIPTION, "Series Description"),
    (STUDY_DESCRIPTION, "Study Description"),
)


@dataclass(frozen=True, slots=True)
class FoundBodyPart:
    """A body part, and the attribute that told it."""

    term: str
    sct: str
    source: str


class BodyPartTable:
    """The table with its indices."""

    def __init__(self, parts: tuple[BodyPart, ...] = BODY_PARTS) -> None:
        self._by_term = {part.term: part for part in parts}
        self._by_code = {part.sct: part for part in parts}
        self._by_code |= {code: self._by_term[term] for code, term in _OTHER_CODES.items()}
        self._by_word = {word: part for part in parts for word in (part.term, *part.words)}

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

    def find(self, attributes: Mapping[str, Any]) -> FoundBodyPart | None:
        """The body part that an instance's attributes name, by the first of them that names a known one.

        Body Part Examined, then the Anatomic Region Sequence, then protocol, series and study description
        (which de-identification usually removes).
        """
        written = text(attributes, BODY_PART_EXAMINED)
        part = self.named(written) or self._in_words(written)
        if part is not None:
            return FoundBodyPart(part.term, part.sct, "Body Part Examined")
        for item in items(attributes, ANATOMIC_REGION_SEQUENCE):
            part = self._by_code.get(text(item, CODE_VALUE))
            if part is not None:
                return FoundBodyPart(part.term, part.sct, "Anatomic Region Sequence")
        for tag, name in _DESCRIPTIONS:
            part = self._in_words(text(attributes, tag))
            if part is not None:
                return FoundBodyPart(part.term, part.sct, name)
        return None

    def _in_words(self, description: str) -> BodyPart | None:
        words = re.findall(r"[A-Z0-9]+", _plain(description))
        # Two words first: the femoral head is no head.
        for length in (2, 1):
            for start in range(len(words) - length + 1):
                part = self._by_word.get("".join(words[start : start + length]))
                if part is not None:
                    return part
        return None


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", _plain(name))


def _plain(name: str) -> str:
    """Upper case without accents."""
    decomposed = unicodedata.normalize("NFKD", name.upper())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
