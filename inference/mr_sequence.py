"""What kind of MR sequence a series is: from its physics, and from descriptions where they do not tell.

Physics win where both speak: names of protocols are copied along. Descriptions may say more exactly what
physics leave open: a T2-weighted image whose inversion is not told may be a FLAIR.

References
----------
PS3.3 §C.8.3.1 and §C.8.13.3.1.1 (Acquisition Contrast).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from inference.attributes import (
    ACQUISITION_CONTRAST,
    DIFFUSION_B_VALUE,
    ECHO_TIME,
    IMAGE_TYPE,
    INVERSION_TIME,
    SCANNING_SEQUENCE,
    number,
    text,
    texts,
)
from inference.descriptions import series_words, word_pattern
from inference.mr_contrast import LONG_GRADIENT_ECHO_MS, T1_INVERSION_MS, Contrast, mr_contrast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class SequenceType(StrEnum):
    """Kinds of MR sequences that models are made for."""

    T1 = "T1"
    #: T1-weighted after a contrast agent.
    T1CE = "T1CE"
    T2 = "T2"
    FLAIR = "FLAIR"
    STIR = "STIR"
    PD = "PD"
    DWI = "DWI"
    ADC = "ADC"
    SWI = "SWI"
    T2STAR = "T2*"
    #: Angiography: time of flight, phase contrast, with an agent.
    TOF = "TOF"
    FMRI = "FMRI"
    PERFUSION = "PERFUSION"


@dataclass(frozen=True, slots=True)
class FoundSequence:
    """A kind of sequence, and what told it."""

    kind: SequenceType
    source: str


_T = SequenceType
#: Acquisition Contrast (0008,9209), also value 4 of an enhanced image's Image Type.
_TOLD_CONTRAST = {
    "T1": _T.T1, "T2": _T.T2, "T2_STAR": _T.T2STAR, "PROTON_DENSITY": _T.PD, "FLUID_ATTENUATED": _T.FLAIR,
    "STIR": _T.STIR, "DIFFUSION": _T.DWI, "PERFUSION": _T.PERFUSION, "TOF": _T.TOF,
}  # fmt: skip
#: Values of Image Type that makers write.
_TOLD_TYPE = {
    "ADC": _T.ADC, "EADC": _T.ADC, "DIFFUSION": _T.DWI, "TRACEW": _T.DWI, "SWI": _T.SWI, "FMRI": _T.FMRI,
    "BOLD": _T.FMRI, "PERFUSION": _T.PERFUSION, "ASL": _T.PERFUSION, "RCBF": _T.PERFUSION,
    "RCBV": _T.PERFUSION, "MTT": _T.PERFUSION, "TTP": _T.PERFUSION, "TOF": _T.TOF,
}  # fmt: skip
_WEIGHTED = r"(?:W|WI|TSE|SE|FS|FSE|TFE|FFE|GRE|FL2D|SPACE|SPC|MPR\w*|FSPGR|VISTA|CUBE)?"
#: Words of descriptions, the most particular first.
_WORDS = (
    (_T.ADC, word_pattern("E?ADC", "DIFFUSIONSKOEFFIZIENT", "DADC")),
    (_T.PERFUSION, word_pattern(r"PERF\w*", "PWI", "DSC", "DCE", "P?C?ASL", "R?CBF", "R?CBV", "MTT", "TMAX")),
    (_T.FMRI, word_pattern("R?S?FMRI", "BOLD", "RESTING", r"EPFID\w*")),
    (_T.DWI, word_pattern(r"DWI\w*", r"DIFF\w*", r"DIFUS\w*", "DTI", "TRACEW?", r"B ?(?:0|\d{3,4})(?:S|T)?",
                          "HARDI", "RESOLVE")),
    (_T.SWI, word_pattern(r"SWI\w*", "SWAN", r"SUSCEPT\w*", "VENOBOLD", "FSBB")),
    (_T.T2STAR, word_pattern(r"T2STAR\w*", "HEMO", "T2 FFE", "T2 GRE", "GRE T2", "MEDIC", "MERGE")),
    (_T.TOF, word_pattern(r"3?D?TOF\w*", "CE ?MRA", "MRA", r"ANGIO\w*", "MOTSA", "TRICKS", "TWIST")),
    (_T.T1, word_pattern("T1W? FLAIR")),
    (_T.FLAIR, word_pattern(r"\w*FLAIR\w*", "DARK FLUID", r"FLUID ATT\w*")),
    (_T.STIR, word_pattern("STIR", "TIRM")),
)  # fmt: skip
_WEIGHTINGS = (
    (_T.T1, word_pattern(rf"(?:3D|2D)?T1{_WEIGHTED}", "MP2?RAGE", "MP RAGE", "BRAVO", "F?SPGR", r"TFL3D\w*",
                         "VIBE", "LAVA", "THRIVE")),
    (_T.T2, word_pattern(rf"(?:3D|2D)?T2{_WEIGHTED}", "HASTE", "SSFSE", "CISS", "FIESTA", "TRUFI")),
    (_T.PD, word_pattern("PD", "PDW", "PDFS", "DP", "RHO", r"PROTON\w*", r"DENSITE\w*")),
)  # fmt: skip
#: What descriptions may make of what physics say.
_REFINED = {
    _T.T1: {_T.TOF, _T.PERFUSION},
    _T.T2: {_T.FLAIR, _T.STIR, _T.DWI, _T.ADC, _T.SWI, _T.T2STAR, _T.FMRI, _T.PERFUSION},
    _T.T2STAR: {_T.SWI, _T.FMRI, _T.PERFUSION},
    _T.PD: {_T.TOF},
}


def mr_sequence(attributes: Mapping[str, Any], *, agent: bool = False) -> FoundSequence | None:
    """The kind of sequence of an MR instance, or `None` where nothing tells it.

    Parameters
    ----------
    agent
        Whether a contrast agent was given: T1 becomes T1CE.
    """
    found = _found(attributes)
    if found is not None and found.kind is SequenceType.T1 and agent:
        return FoundSequence(SequenceType.T1CE, found.source)
    return found


def _found(attributes: Mapping[str, Any]) -> FoundSequence | None:
    told = _TOLD_CONTRAST.get(text(attributes, ACQUISITION_CONTRAST))
    types = texts(attributes, IMAGE_TYPE)
    told = told or next((_TOLD_TYPE[t] for t in types[2:] if t in _TOLD_TYPE), None)
    told = told or next((_TOLD_CONTRAST[t] for t in types[3:4] if t in _TOLD_CONTRAST), None)
    if told is not None:
        return FoundSequence(told, "image type")
    physics = _by_physics(attributes)
    described = _by_words(attributes)
    if physics is None:
        return described
    if described is not None and described.kind in _REFINED.get(physics, ()):
        return described
    return FoundSequence(physics, "physics")


def _by_physics(attributes: Mapping[str, Any]) -> SequenceType | None:
    contrast = mr_contrast(attributes)
    if contrast is Contrast.DIFFUSION:
        # Echo-planar images are read for diffusion, for function and for perfusion alike.
        return SequenceType.DWI if number(attributes, DIFFUSION_B_VALUE) is not None else None
    if contrast is Contrast.ANGIOGRAPHY:
        return SequenceType.TOF
    if contrast is Contrast.SUPPRESSED:
        inversion = number(attributes, INVERSION_TIME) or 0.0
        return SequenceType.FLAIR if inversion > T1_INVERSION_MS[1] else SequenceType.STIR
    if contrast is Contrast.T2:
        echo = number(attributes, ECHO_TIME) or 0.0
        if "GR" in texts(attributes, SCANNING_SEQUENCE) and echo >= LONG_GRADIENT_ECHO_MS:
            return SequenceType.T2STAR
        return SequenceType.T2
    return {Contrast.T1: SequenceType.T1, Contrast.PD: SequenceType.PD}.get(contrast)


def _by_words(attributes: Mapping[str, Any]) -> FoundSequence | None:
    for words in series_words(attributes):
        for kind, pattern in _WORDS:
            if pattern.search(words):
                return FoundSequence(kind, "description")
        weightings = [kind for kind, pattern in _WEIGHTINGS if pattern.search(words)]
        if len(weightings) == 1:
            return FoundSequence(weightings[0], "description")
    return None
