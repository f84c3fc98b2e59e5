"""What a CT was reconstructed for: soft tissue, lung or bone, by the makers' names of their kernels.

Sharp kernels of some makers serve lung and bone alike; then the body part decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.attributes import CONVOLUTION_KERNEL, texts
from inference.descriptions import series_words, word_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True)
class FoundKernel:
    """`soft`, `lung` or `bone`, and what told it."""

    kind: str
    source: str


KERNELS = ("soft", "lung", "bone")
#: Neither lung nor bone for sure.
_SHARP = "sharp"
_NAMES = {
    # GE
    "STANDARD": "soft", "STND": "soft", "SOFT": "soft", "DETAIL": "soft", "CHST": "soft", "ULTRA": "bone",
    "LUNG": "lung", "BONE": "bone", "BONEPLUS": "bone", "EDGE": "bone", "PERFORMANCE": "soft",
    # Philips
    "A": "soft", "B": "soft", "C": "soft", "UA": "soft", "UB": "soft", "UC": "soft", "EA": "soft",
    "EB": "soft", "SA": "soft", "SB": "soft", "CA": "soft", "CB": "soft", "XCA": "soft", "XCB": "soft",
    "L": "lung", "D": _SHARP, "E": "bone", "EC": "bone", "YA": _SHARP, "YB": _SHARP, "YC": _SHARP,
    "YD": _SHARP, "YE": _SHARP,
}  # fmt: skip
#: Siemens: letters (what for), strength from 08 to 99, iterative or not. GE writes "HD LUNG" too.
_SIEMENS = re.compile(r"(?P<letters>[A-Z]{1,2})(?P<strength>\d{2})[A-Z]?")
#: Canon and Toshiba: their hundreds of names in tens.
_CANON = re.compile(r"F[CL](?P<number>\d{2})[A-Z]*")
_CANON_TENS = {3: "bone", 5: "lung", 8: _SHARP}
#: Siemens: kernels of this strength and below are for soft tissue.
_SOFT_UP_TO = 49
_WORDS = (
    ("lung", word_pattern("LUNG", "LUNGE", "LUNGEN", "POUMON", r"PULM\w*", "POLMONE", "LONGEN", "HRCT",
                          r"PARENCH?\w*")),
    ("bone", word_pattern("BONE", "BONES", r"KNOCHEN\w*", r"OSSEU\w*", "OSEO", "HUESO", "OSSO", "BOT")),
    ("soft", word_pattern("SOFT", r"WEICHTEIL\w*", r"MEDIAST\w*", "STANDARD", "MOU", "MOUS", "BLANDOS",
                          "PARTIMOLLI")),
)  # fmt: skip


def ct_kernel(attributes: Mapping[str, Any], *, in_chest: bool = False) -> FoundKernel | None:
    """What the images were reconstructed for, or `None` where nothing tells it.

    Parameters
    ----------
    in_chest
        Whether the images show the chest: sharp kernels are for the lung there, elsewhere for bone.
    """
    for name in texts(attributes, CONVOLUTION_KERNEL):
        kind = _of_name(name)
        if kind == _SHARP:
            return FoundKernel(_described(attributes) or ("lung" if in_chest else "bone"), "kernel")
        if kind is not None:
            return FoundKernel(kind, "kernel")
    described = _described(attributes)
    return None if described is None else FoundKernel(described, "description")


def _of_name(name: str) -> str | None:
    short = re.sub(r"[^A-Z0-9]", "", name)
    for prefix in ("", "HD"):
        kind = _NAMES.get(short.removeprefix(prefix))
        if kind is not None:
            return kind
    canon = _CANON.fullmatch(short)
    if canon is not None:
        return _CANON_TENS.get(int(canon["number"]) // 10, "soft")
    siemens = _SIEMENS.match(short)
    if siemens is not None:
        return _siemens(siemens["letters"], int(siemens["strength"]))
    return None


def _siemens(letters: str, strength: int) -> str:
    if letters == "BL":
        return "lung"
    if strength <= _SOFT_UP_TO:
        return "soft"
    return "bone" if letters.startswith(("H", "U")) else _SHARP


def _described(attributes: Mapping[str, Any]) -> str | None:
    for words in series_words(attributes):
        for kind, pattern in _WORDS:
            if pattern.search(words):
                return kind
    return None
