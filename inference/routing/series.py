"""What the router knows of a series: facts from the attributes of its instances, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.attributes import (
    CONTRAST_AGENT,
    IMAGE_ORIENTATION,
    IMAGE_POSITION,
    IMAGE_TYPE,
    MANUFACTURER,
    MODALITY,
    MR_ACQUISITION_TYPE,
    NUMBER_OF_FRAMES,
    PATIENT_AGE,
    PIXEL_SPACING,
    number,
    numbers,
    text,
    texts,
)
from inference.encode.context import MANUFACTURER as NODE_MANUFACTURER
from inference.mr_contrast import Contrast, mr_contrast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from inference.routing.body_part import BodyPartTable, FoundBodyPart

#: Kinds of derived images that models must not mistake for a scan (Image Type value 3 and on).
_NO_SCAN = frozenset(
    {"LOCALIZER", "SCOUT", "MIP", "MINIP", "MNIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "VOLUME_RENDERED",
     "ADC", "FA", "TRACEW", "TRACE", "PHASE", "PHASE MAP", "P", "R", "I", "REAL", "IMAGINARY",
     "SUBTRACTION", "SCREEN SAVE", "CSAPARALLEL", "AI"}
)  # fmt: skip
_DAYS = {"D": 1, "W": 7, "M": 30.4375, "Y": 365.25}


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A series as rules and models judge it.

    Attributes
    ----------
    sop_instance_uids
        Of all its instances, in the catalogue's order.
    modality
        Of the first instance that tells it; empty where none does.
    no_scan
        Why the series is no scan of its own (a localiser, a projection, a result of ours), or `None`.
    orientation
        `axial`, `coronal`, `sagittal`, `oblique` or `unknown`.
    slice_spacing_mm
        Median distance of neighbouring slices; `None` without geometry.
    pixel_spacing_mm
        The coarser of the two; `None` without geometry.
    contrast
        Of MR; `UNKNOWN` for others. Several echoes of one series count by their first.
    """

    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    sop_classes: frozenset[str]
    modality: str
    body_part: FoundBodyPart | None
    no_scan: str | None
    orientation: str
    multi_frame: bool
    slice_spacing_mm: float | None
    pixel_spacing_mm: float | None
    contrast: Contrast
    contrast_agent: bool
    three_dimensional: bool
    original: bool
    age_years: float | None

    @property
    def count(self) -> int:
        """How many instances it has."""
        return len(self.sop_instance_uids)


def group_series(instances: Sequence[CatalogEntry], table: BodyPartTable) -> tuple[SeriesFacts, ...]:
    """The series of a study, ordered by Series Instance UID."""
    groups: dict[str, list[CatalogEntry]] = {}
    for entry in instances:
        groups.setdefault(entry.series_instance_uid, []).append(entry)
    return tuple(series_facts(groups[uid], table) for uid in sorted(groups))


def series_facts(entries: Sequence[CatalogEntry], table: BodyPartTable) -> SeriesFacts:
    """Facts of one series. Never raises for odd values: what cannot be read counts as unknown."""
    attributes = [entry.attributes for entry in entries]
    first = attributes[0]
    modality = text(first, MODALITY)
    spacing = numbers(first, PIXEL_SPACING)
    return SeriesFacts(
        series_instance_uid=entries[0].series_instance_uid,
        sop_instance_uids=tuple(entry.sop_instance_uid for entry in entries),
        sop_classes=frozenset(entry.sop_class_uid for entry in entries),
        modality=modality,
        body_part=next((found for a in attributes if (found := table.find(a)) is not None), None),
        no_scan=_no_scan(attributes),
        orientation=_orientation(first),
        multi_frame=any((number(a, NUMBER_OF_FRAMES) or 1) > 1 for a in attributes),
        slice_spacing_mm=_slice_spacing(attributes),
        pixel_spacing_mm=max(spacing) if spacing else None,
        contrast=mr_contrast(first) if modality == "MR" else Contrast.UNKNOWN,
        contrast_agent=bool(text(first, CONTRAST_AGENT)),
        three_dimensional=text(first, MR_ACQUISITION_TYPE) == "3D",
        original="ORIGINAL" in texts(first, IMAGE_TYPE)[:1],
        age_years=_age(text(first, PATIENT_AGE)),
    )


def _no_scan(attributes: Sequence[Mapping[str, Any]]) -> str | None:
    types = [texts(a, IMAGE_TYPE) for a in attributes]
    if any(text(a, MANUFACTURER) == NODE_MANUFACTURER.upper() for a in attributes):
        return "it is a result of this node"
    if all(len(t) > 2 and t[2] == "LOCALIZER" for t in types):
        return "it is a localiser"
    # A capture is SECONDARY too, but so are a maker's own reformats: neither is the scan.
    if all(len(t) > 1 and t[1] == "SECONDARY" for t in types):
        return "its images are secondary ones"
    if all(_NO_SCAN & set(t[2:]) for t in types):
        return "its images are computed from others (a map, phase or projection, say)"
    return None


def _orientation(attributes: Mapping[str, Any]) -> str:
    cosines = numbers(attributes, IMAGE_ORIENTATION)
    if len(cosines) != 6:
        return "unknown"
    normal = np.abs(np.cross(cosines[:3], cosines[3:]))
    if not np.isfinite(normal).all() or normal.max() < 0.5:
        return "unknown"
    # Within 25 degrees of an axis; heads are often tilted that far.
    if normal.max() < 0.906:
        return "oblique"
    return ("sagittal", "coronal", "axial")[int(np.argmax(normal))]


def _slice_spacing(attributes: Sequence[Mapping[str, Any]]) -> float | None:
    cosines = numbers(attributes[0], IMAGE_ORIENTATION)
    positions = [p for a in attributes if len(p := numbers(a, IMAGE_POSITION)) == 3]
    if len(cosines) != 6 or len(positions) < 2:
        return None
    normal = np.cross(cosines[:3], cosines[3:])
    steps = np.diff(np.sort(np.array(positions) @ normal))
    steps = steps[steps > 1e-2]
    return float(np.median(steps)) if steps.size else None


def _age(value: str) -> float | None:
    if len(value) == 4 and value[:3].isdigit() and value[3] in _DAYS:
        return int(value[:3]) * _DAYS[value[3]] / _DAYS["Y"]
    return None
