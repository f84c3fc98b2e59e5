"""Values of single elements: text, numbers, dates, UIDs and ages, each by its own rule.

References
----------
PS3.15 Table E.1-1a (action codes), §E.3.5, §E.3.6; PS3.5 Table 6.2-1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anonymizer.codec import Codec, Element
from anonymizer.dates import is_time, shift_date, shift_datetime
from anonymizer.dummies import TEXT
from anonymizer.plan import Step
from anonymizer.uids import UidMapper, is_registered
from anonymizer.values import NUMBER_VRS, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anonymizer.content import ContentRules
    from anonymizer.text.elements import ElementText

CODE_MEANING: Final = 0x00080104
#: Years; HIPAA's safe harbour counts all ages above as one.
OLDEST: Final = 89
_PER_YEAR: Final = {b"D": 365.25, b"W": 52.18, b"M": 12.0, b"Y": 1.0}


@dataclass(frozen=True, slots=True)
class Tools:
    """What a pass works with besides the plan.

    Attributes
    ----------
    days
        The patient's shift of dates; 0 keeps them.
    safe_private
        Safe private attributes and their VRs; empty where none may stay.
    """

    uids: UidMapper
    words: ElementText
    content: ContentRules
    codec: Codec
    days: int
    safe_private: Mapping[tuple[str, int, int], str]


class Leaves:
    """Cleans values of one instance.

    Attributes
    ----------
    replaced
        Pseudonymous to original UID; retained UIDs stand for themselves.
    actions
        How often each rule was applied, by (tag, rule).
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.replaced: dict[str, str] = {}
        self.actions: Counter[tuple[int, str]] = Counter()

    def text(self, tag: int, element: Element, how: str, codecs: tuple[str, ...]) -> Element:
        """The element without what identifies somebody; the same object where nothing was found."""
        cleaned = self._tools.words.clean(element, codecs, how)
        if cleaned is element:
            return element
        self.actions[tag, "text-cleaned"] += 1
        if tag == CODE_MEANING and not cleaned.value:
            return Element(element.vr, TEXT)
        return cleaned

    def number(self, tag: int, element: Element, value: bytes, vr: str) -> Element | None:
        """The element where it is a number that identifies nobody; `vr` is the standard's."""
        vr = element.vr if element.vr in NUMBER_VRS else vr.split(" or ", maxsplit=1)[0]
        if not is_number(value, vr):
            self.actions[tag, "no-number"] += 1
            return None
        known = self._tools.words.known_numbers
        if known and vr in {"DS", "IS"} and not known.isdisjoint(_split(value)):
            self.actions[tag, "known-number"] += 1
            return None
        return element

    def date(self, tag: int, value: bytes, vr: str, days: int) -> Element | None:
        """DA and DT values shifted by whole days, TM values as they are; `None` where one is malformed."""
        moved = []
        for part in value.decode("latin-1").split("\\"):
            text = part.strip(" \0")
            if not text:
                moved.append("")
            elif vr == "TM":
                if not is_time(text):
                    self.actions[tag, "no-date"] += 1
                    return None
                moved.append(text)
            else:
                shifted = (shift_date if vr == "DA" else shift_datetime)(text, days)
                if shifted is None:
                    self.actions[tag, "no-date"] += 1
                    return None
                moved.append(shifted)
        return Element(vr, "\\".join(moved).encode("ascii"))

    def uids(self, tag: int, value: bytes, step: Step) -> bytes:
        """UIDs replaced by pseudonyms, but for those that the standard registers or `KEEP_UID` retains."""
        replaced = []
        for part in value.decode("latin-1").split("\\"):
            uid = part.strip(" \0")
            if not uid or is_registered(uid, tag, instance=step is Step.UID):
                replaced.append(uid)
                continue
            retained = step is Step.KEEP_UID and not uid.strip("0123456789.")
            pseudonym = uid if retained else self._tools.uids.pseudonym(uid)
            self.replaced[pseudonym] = uid
            replaced.append(pseudonym)
        return "\\".join(replaced).encode("latin-1")


def age(value: bytes) -> Element | None:
    """Age String up to 89 years as it is, above as 90; nothing where it is malformed."""
    text = value.strip(b" \0")
    if not text:
        return Element("AS", b"")
    if len(text) != 4 or not text[:3].isdigit() or text[3:] not in _PER_YEAR:
        return None
    years = int(text[:3]) / _PER_YEAR[text[3:]]
    return Element("AS", b"090Y" if years >= OLDEST + 1 else text)


def _split(value: bytes) -> list[bytes]:
    return [part.strip(b" \0") for part in value.split(b"\\")]
