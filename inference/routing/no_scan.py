"""Series that models must not mistake for a scan: localisers, reports, projections, maps, results of ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from inference.attributes import IMAGE_TYPE, MANUFACTURER, MODALITY, text, texts
from inference.descriptions import series_words, word_pattern
from inference.encode.context import MANUFACTURER as NODE_MANUFACTURER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NoScanKind(StrEnum):
    """Why a series is no scan of its own."""

    RESULT = "result"
    REPORT = "report"
    LOCALIZER = "localizer"
    TRACKING = "tracking"
    SECONDARY = "secondary"
    #: Computed for each voxel (ADC, phase), or along rays (MIP).
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class NoScan:
    """Why a series is no scan, for people."""

    kind: NoScanKind
    text: str


#: Modalities without pixels to look at.
_REPORTS = frozenset(
    {"SR", "PR", "KO", "DOC", "SEG", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "FID", "RWV", "AU",
     "PLAN", "ANN", "SMR", "STAIN", "ECG", "EPS", "HD"}
)  # fmt: skip
_LOCALIZERS = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVEY"})
#: Values of Image Type from the third on.
_COMPUTED = frozenset(
    {"MIP", "MINIP", "MNIP", "MAX_IP", "MIN_IP", "MPR THICK", "PROJECTION IMAGE", "VOLUME_RENDERED", "VRT",
     "ADC", "EADC", "FA", "TRACEW", "TRACE", "PHASE", "PHASE MAP", "P", "R", "I", "REAL", "IMAGINARY",
     "SUBTRACTION", "RCBF", "RCBV", "MTT", "TTP", "TMAX", "CBF", "CBV", "T-MAP", "CSAPARALLEL", "AI"}
)  # fmt: skip
_CAPTURES = frozenset({"SCREEN SAVE", "SCREEN_CAPTURE", "DOSE_INFO", "DOSE INFO", "PATIENT PROTOCOL"})
_WORDS = (
    (
        NoScanKind.LOCALIZER,
        word_pattern(
            r"LOCALI[SZ]ER\w*", "LOC", "SCOUT", r"TOPOGRAM\w*", "TOPO", "SURVEY", "SURVIEW", "PILOT",
            "3 ?PLANE", r"UE?BERSICHT\w*", "REPERAGE", r"LOCALIZAD\w*", r"LOCALIZZAT\w*", r"SCANO(?:GRAM)?",
        ),
        "it is a localiser",
    ),
    (
        NoScanKind.TRACKING,
        word_pattern(
            r"SMART ?PREP", r"PRE ?MONITOR\w*", "MONITORING", r"BOLUS ?TRACK\w*", "CARE ?BOLUS",
            "TEST ?BOLUS", "TIMING BOLUS", "SURESTART", "LOCATOR", "TRACKER", "SHIM", "CALIBRATION",
            "ASSET CAL", "REF SCAN",
        ),
        "it watches the contrast agent arrive, or calibrates the scanner",
    ),
    (
        NoScanKind.REPORT,
        word_pattern(
            "DOSE ?REPORT", "DOSE INFO", "DOSE SUMMARY", r"DOSIS ?(?:BERICHT|PROTOKOLL|INFO)",
            "DOSIMETRIE", "PATIENT PROTOCOL", "PATIENTENPROTOKOLL", "SCREEN ?SAVE", "SCREEN ?SHOTS?",
            "SUMMARY SERIES", "REPORT",
        ),
        "it is a report or a dose sheet, no scan",
    ),
    (
        NoScanKind.COMPUTED,
        word_pattern("MIPS?", "MINIP", "MNIP", "VRT", r"VOLUME REND\w*", r"SUBTR\w*", "3D RENDERING"),
        "its images are computed from others (a projection or a subtraction)",
    ),
)  # fmt: skip


def no_scan(attributes: Sequence[Mapping[str, Any]]) -> NoScan | None:
    """Why a series is no scan, from the attributes of its instances, or `None` where it is one."""
    first = attributes[0]
    if any(text(a, MANUFACTURER) == NODE_MANUFACTURER.upper() for a in attributes):
        return NoScan(NoScanKind.RESULT, "it is a result of this node")
    if all(text(a, MODALITY) in _REPORTS for a in attributes):
        return NoScan(NoScanKind.REPORT, "it holds no images (a report, a plan or a segmentation)")
    types = [texts(a, IMAGE_TYPE) for a in attributes]
    if all(_LOCALIZERS & set(t[2:]) for t in types):
        return NoScan(NoScanKind.LOCALIZER, "it is a localiser")
    if all(_CAPTURES & set(t[2:]) for t in types):
        return NoScan(NoScanKind.REPORT, "it is a report or a dose sheet, no scan")
    # A capture is SECONDARY too, but so are a maker's own reformats: neither is the scan.
    if all(len(t) > 1 and t[1] == "SECONDARY" for t in types):
        return NoScan(NoScanKind.SECONDARY, "its images are secondary ones")
    if all(_COMPUTED & set(t[2:]) for t in types):
        return NoScan(
            NoScanKind.COMPUTED, "its images are computed from others (a map, phase or projection, say)"
        )
    for words in series_words(first)[:1]:
        for kind, pattern, why in _WORDS:
            if pattern.search(words):
                return NoScan(kind, why)
    return None
