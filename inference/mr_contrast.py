"""How an MR image is weighted, read from its physics (PS3.3 §C.8.3.1).

Names of sequences and descriptions are the maker's or the site's own and are often removed; times and
angles stay. Where they do not tell, the answer is `UNKNOWN`, never a guess.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from inference.attributes import (
    ANGIO_FLAG,
    DIFFUSION_B_VALUE,
    ECHO_TIME,
    FLIP_ANGLE,
    INVERSION_TIME,
    REPETITION_TIME,
    SCAN_OPTIONS,
    SCANNING_SEQUENCE,
    SEQUENCE_VARIANT,
    number,
    text,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Contrast(StrEnum):
    """What dominates the contrast."""

    T1 = "T1"
    T2 = "T2"
    PD = "PD"
    #: Inversion recovery that nulls fluid (FLAIR) or fat (STIR) on a T2-weighted image.
    SUPPRESSED = "FLAIR or STIR"
    DIFFUSION = "diffusion or echo-planar"
    ANGIOGRAPHY = "angiography"
    UNKNOWN = "unknown"


#: Echo times in ms: below the first an image can be T1-weighted, from the second on T2 dominates.
SHORT_ECHO_MS, LONG_ECHO_MS = 30.0, 60.0
#: A gradient echo's T2* weighting begins here, ms.
LONG_GRADIENT_ECHO_MS = 15.0
#: Longest repetition of a T1-weighted spin echo, ms.
SHORT_REPETITION_MS = 1000.0
#: Inversion times in ms between STIR and FLAIR, where tissue contrast is T1.
T1_INVERSION_MS = (300.0, 1500.0)
#: Spoiled gradient echoes below this angle are proton-density-weighted, degrees.
SMALL_ANGLE_DEG = 4.0


def mr_contrast(attributes: Mapping[str, Any]) -> Contrast:
    """How the image is weighted, as far as its attributes tell."""
    sequence = set(texts(attributes, SCANNING_SEQUENCE))
    variant = set(texts(attributes, SEQUENCE_VARIANT))
    if "EP" in sequence or number(attributes, DIFFUSION_B_VALUE) is not None:
        return Contrast.DIFFUSION
    if text(attributes, ANGIO_FLAG) == "Y" or "TOF" in variant:
        return Contrast.ANGIOGRAPHY
    echo = number(attributes, ECHO_TIME)
    if echo is None or echo <= 0:
        return Contrast.UNKNOWN
    inversion = number(attributes, INVERSION_TIME)
    prepared = "IR" in sequence or "IR" in texts(attributes, SCAN_OPTIONS) or bool({"MP"} & variant)
    if prepared and inversion:
        return _after_inversion(echo, inversion)
    if "GR" in sequence:
        return _gradient_echo(attributes, echo, variant)
    if "SE" in sequence:
        return _spin_echo(number(attributes, REPETITION_TIME), echo)
    return Contrast.T2 if echo >= LONG_ECHO_MS else Contrast.UNKNOWN


def _after_inversion(echo: float, inversion: float) -> Contrast:
    shortest, longest = T1_INVERSION_MS
    if inversion < shortest or inversion > longest:
        return Contrast.SUPPRESSED
    if echo < SHORT_ECHO_MS:
        return Contrast.T1
    return Contrast.T2 if echo >= LONG_ECHO_MS else Contrast.UNKNOWN


def _gradient_echo(attributes: Mapping[str, Any], echo: float, variant: set[str]) -> Contrast:
    if echo >= LONG_GRADIENT_ECHO_MS:
        return Contrast.T2
    # Balanced steady state (SS without spoiling) weighs by T2 over T1.
    if "SS" in variant and "SP" not in variant:
        return Contrast.T2
    angle = number(attributes, FLIP_ANGLE)
    if angle is None:
        return Contrast.UNKNOWN
    # MPRAGE of some makers tells neither its inversion nor the preparation, and has angles of 6 to 12.
    return Contrast.PD if angle < SMALL_ANGLE_DEG else Contrast.T1


def _spin_echo(repetition: float | None, echo: float) -> Contrast:
    if echo >= LONG_ECHO_MS:
        return Contrast.T2
    if repetition is None or echo >= SHORT_ECHO_MS:
        return Contrast.UNKNOWN
    return Contrast.T1 if repetition <= SHORT_REPETITION_MS else Contrast.PD
