"""Makers of scanners by their many names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.attributes import MANUFACTURER, text
from inference.descriptions import plain_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: What the name of a maker begins with, as words, by our name of it.
_BEGINNINGS = {
    "SIEMENS": ("SIEMENS",),
    "GE": ("GE", "G E", "GENERAL ELECTRIC"),
    "PHILIPS": ("PHILIPS", "PICKER", "MARCONI", "ADAC"),
    "CANON": ("CANON", "TOSHIBA"),
    "FUJIFILM": ("FUJI", "FUJIFILM", "HITACHI"),
    "UIH": ("UIH", "UNITED IMAGING"),
    "NEUSOFT": ("NEUSOFT", "NMS"),
    "SAMSUNG": ("SAMSUNG",),
    "HOLOGIC": ("HOLOGIC", "LORAD"),
    "AGFA": ("AGFA",),
    "CARESTREAM": ("CARESTREAM", "KODAK", "EASTMAN KODAK"),
    "KONICA": ("KONICA",),
    "BRUKER": ("BRUKER",),
}
MAKERS = tuple(_BEGINNINGS)


def maker(attributes: Mapping[str, Any]) -> str | None:
    """The maker of an image's scanner, or `None` where it is none that the node knows."""
    words = plain_words(text(attributes, MANUFACTURER))
    for name, beginnings in _BEGINNINGS.items():
        if any(words.startswith(f" {beginning} ") for beginning in beginnings):
            return name
    # Names that run on: "SIEMENSHEALTHINEERS". The short ones begin other makers' names too.
    return next((name for name in MAKERS if len(name) > 3 and words.startswith(f" {name}")), None)
