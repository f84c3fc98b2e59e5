"""What the router knows of a series: facts from the attributes of its instances, no pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference.attributes import (
    IMAGE_TYPE,
    MODALITY,
    MR_ACQUISITION_TYPE,
    PATIENT_AGE,
    SAMPLES_PER_PIXEL,
    number,
    text,
    texts,
)
from inference.contrast_agent import FoundAgent, contrast_agent
from inference.ct_kernel import FoundKernel, ct_kernel
from inference.mr_contrast import Contrast, mr_contrast
from inference.mr_sequence import FoundSequence, mr_sequence
from inference.projection import laterality, views
from inference.routing.no_scan import NoScan, no_scan
from inference.routing.planes import is_multi_frame, planes
from inference.routing.scanner import maker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from inference.routing.body_part import BodyPartTable, FoundBodyPart

_DAYS = {"D": 1, "W": 7, "M": 30.4375, "Y": 365.25}
#: Modalities of projection images: they have a view and mostly one image.
PROJECTIONS = frozenset({"CR", "DX", "MG", "RG", "IO", "PX"})
#: Image Type from the third value on: cut anew from other slices.
_REFORMATTED = frozenset({"MPR", "REFORMATTED", "CSA MPR", "CSA RESAMPLED", "RESAMPLED", "CPR", "MPR CURVED"})


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A series as rules and models judge it.

    Attributes
    ----------
    sop_instance_uids
        Of all its instances, in the catalogue's order.
    count
        How many images it has; frames of multi-frame ones count each.
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
        Of MR, by physics alone; `UNKNOWN` for others. Several echoes of one series count by their first.
    sequence
        Of MR, by physics and descriptions.
    agent
        Contrast agent and phase.
    kernel
        Of CT.
    views, side
        Of projection images; views empty and side `None` where nothing tells them.
    colour
        Whether pixels have three values.
    original, reformatted
        By Image Type.
    attributes
        Of the instances, in the catalogue's order.
    """

    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    sop_classes: frozenset[str]
    count: int
    modality: str
    body_part: FoundBodyPart | None
    no_scan: NoScan | None
    orientation: str
    multi_frame: bool
    slice_spacing_mm: float | None
    pixel_spacing_mm: float | None
    contrast: Contrast
    sequence: FoundSequence | None
    agent: FoundAgent
    kernel: FoundKernel | None
    views: frozenset[str]
    side: str | None
    colour: bool
    three_dimensional: bool
    original: bool
    reformatted: bool
    age_years: float | None
    maker: str | None
    attributes: tuple[Mapping[str, Any], ...] = field(repr=False, compare=False)


def group_series(instances: Sequence[CatalogEntry], table: BodyPartTable) -> tuple[SeriesFacts, ...]:
    """The series of a study, ordered by Series Instance UID."""
    groups: dict[str, list[CatalogEntry]] = {}
    for entry in instances:
        groups.setdefault(entry.series_instance_uid, []).append(entry)
    return tuple(series_facts(groups[uid], table) for uid in sorted(groups))


def series_facts(entries: Sequence[CatalogEntry], table: BodyPartTable) -> SeriesFacts:
    """Facts of one series. Never raises for odd values: what cannot be read counts as unknown."""
    attributes = tuple(entry.attributes for entry in entries)
    first = attributes[0]
    modality = next((told for a in attributes if (told := text(a, MODALITY))), "")
    part = next((found for a in attributes if (found := table.find(a)) is not None), None)
    agent = contrast_agent(first) if modality in {"MR", "CT"} else FoundAgent()
    sequence = mr_sequence(first, agent=agent.given is True) if modality == "MR" else None
    in_chest = part is not None and table.shows(part.term, "CHEST")
    geometry = planes(attributes)
    projected = modality in PROJECTIONS
    types = texts(first, IMAGE_TYPE)
    return SeriesFacts(
        series_instance_uid=entries[0].series_instance_uid,
        sop_instance_uids=tuple(entry.sop_instance_uid for entry in entries),
        sop_classes=frozenset(entry.sop_class_uid for entry in entries),
        count=geometry.count,
        modality=modality,
        body_part=part,
        no_scan=no_scan(attributes),
        orientation=geometry.orientation,
        multi_frame=is_multi_frame(attributes),
        slice_spacing_mm=geometry.slice_spacing_mm,
        pixel_spacing_mm=geometry.pixel_spacing_mm,
        contrast=mr_contrast(first) if modality == "MR" else Contrast.UNKNOWN,
        sequence=sequence,
        agent=agent,
        kernel=ct_kernel(first, in_chest=in_chest) if modality == "CT" else None,
        views=frozenset().union(*(views(a) for a in attributes)) if projected else frozenset(),
        side=_side(attributes) if projected else None,
        colour=number(first, SAMPLES_PER_PIXEL) == 3,
        three_dimensional=text(first, MR_ACQUISITION_TYPE) == "3D",
        original="ORIGINAL" in types[:1],
        reformatted=bool(_REFORMATTED & set(types[2:])),
        age_years=_age(text(first, PATIENT_AGE)),
        maker=maker(first),
        attributes=attributes,
    )


def describe(series: SeriesFacts) -> str:
    """The facts in a line for people; values of ours only, no text of the sender's."""
    part, sequence, kernel = series.body_part, series.sequence, series.kernel
    direction = "" if series.orientation == "unknown" else f"{series.orientation} "
    told = [
        f"{series.count} {direction}image{'' if series.count == 1 else 's'}",
        None if series.slice_spacing_mm is None else f"{series.slice_spacing_mm:.2f} mm apart",
        None if series.pixel_spacing_mm is None else f"pixels of {series.pixel_spacing_mm:.2f} mm",
        "body part unknown" if part is None else f"body part {part.term} (from {part.source})",
        None if sequence is None else f"sequence {sequence.kind} (from {sequence.source})",
        None if kernel is None else f"{kernel.kind} kernel (from {kernel.source})",
        _agent_text(series.agent),
        f"view {' or '.join(sorted(series.views))}" if series.views else None,
        None if series.side is None else f"side {series.side}",
        "in colour" if series.colour else None,
        "reformatted" if series.reformatted else None,
        None if series.no_scan is None else f"no scan: {series.no_scan.text}",
    ]
    return ", ".join(words for words in told if words)


def _agent_text(agent: FoundAgent) -> str | None:
    if agent.given is None:
        return None
    phase = f", {agent.phase} phase" if agent.phase not in {None, "native"} else ""
    return f"{'with' if agent.given else 'without'} contrast agent{phase} (from {agent.source})"


def _side(attributes: Sequence[Mapping[str, Any]]) -> str | None:
    sides = {side for a in attributes if (side := laterality(a)) is not None}
    if len(sides) == 2 and sides <= {"L", "R", "B"}:
        return "B"
    return sides.pop() if len(sides) == 1 else None


def _age(value: str) -> float | None:
    if len(value) == 4 and value[:3].isdecimal() and value[3] in _DAYS:
        return int(value[:3]) * _DAYS[value[3]] / _DAYS["Y"]
    return None
