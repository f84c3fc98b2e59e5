"""Whether a contrast agent was given, and in which phase a series was taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.attributes import (
    CONTRAST_AGENT,
    CONTRAST_AGENT_SEQUENCE,
    CONTRAST_ROUTE,
    CONTRAST_VOLUME,
    MODALITY,
    items,
    number,
    text,
)
from inference.descriptions import plain_words, series_words, word_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """What is known of a contrast agent in the vessels.

    Attributes
    ----------
    given
        `None` where nothing tells it.
    phase
        `native`, `arterial`, `venous`, `delayed`, or `None`.
    source
        What told it.
    """

    given: bool | None = None
    phase: str | None = None
    source: str = ""


#: What stands in Contrast/Bolus Agent where none was given.
_NOTHING = re.compile(
    r" (NO|NON|NONE|NEIN|KEIN|KEINE|OHNE|SANS|SIN|SENZA|SEM|GEEN|WITHOUT|NATIV|NA|N A|NIL) "
)
_WITHOUT = word_pattern(
    r"NATIV\w*", "PRE", "PLAIN", "NON ?CONTRAST", "NON ?CE", "NECT", "NCCT", "WITHOUT", "WO", "OHNE", "SANS",
    "SIN", "SENZA", "SEM", "ZONDER", "BLANCO", "BASALE?", "UNENHANCED", "DIRETTA",
)  # fmt: skip
_WITH = word_pattern(
    "WITHAGENT", "POST", "GD", r"GADO\w*", "CE", "CECT", "KM", "MDC", "MDCE?V", "CIV", "CONTRAST",
    "CONTRASTE", "CONTRASTO", "KONTRAST", "IV", "ENHANCED", r"INJ\w*", "APRES",
)  # fmt: skip
_PHASES = (
    ("arterial", word_pattern(r"ARTERI\w*", "ART")),
    ("venous", word_pattern(r"PORTAL\w*", r"PORTO\w*", r"VENOU?S\w*", r"VENEU\w*", "VEINEUX", "VEN", "PV")),
    ("delayed", word_pattern(r"DELAY\w*", "SPAET", "SPAT", r"SPAE?TPHASE\w*", r"TARD\w*", "LATE",
                             r"EXCRET\w*", r"NEPHRO\w*", r"EQUILIB\w*")),
)  # fmt: skip


def contrast_agent(attributes: Mapping[str, Any]) -> FoundAgent:
    """What an instance tells of it: its attributes first, then series description and protocol name."""
    described = _by_words(attributes)
    written = text(attributes, CONTRAST_AGENT)
    told: bool | None = None
    if written:
        told = _NOTHING.match(plain_words(written)) is None and "ORAL" not in text(attributes, CONTRAST_ROUTE)
    elif items(attributes, CONTRAST_AGENT_SEQUENCE) or (number(attributes, CONTRAST_VOLUME) or 0) > 0:
        told = True
    if told is None:
        return described
    phase = described.phase if told and described.phase != "native" else None
    return FoundAgent(told, phase if told else "native", "contrast agent")


def _by_words(attributes: Mapping[str, Any]) -> FoundAgent:
    for words in series_words(attributes):
        # In MR the same words name vessels that need no agent to be seen.
        named = _PHASES if text(attributes, MODALITY) == "CT" else ()
        phase = next((name for name, pattern in named if pattern.search(words)), None)
        without, given = _WITHOUT.search(words), _WITH.search(words)
        if phase is not None:
            return FoundAgent(True, phase, "description")
        # "without contrast" names both: the word before decides. Both parts of one name tell nothing.
        if without and (not given or given.start() - without.end() in {0, 1}):
            return FoundAgent(False, "native", "description")
        if given and not without:
            return FoundAgent(True, None, "description")
    return FoundAgent()
