"""What a structured report says, as plain facts; of any template and maker, as far as it is coded."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from inference.evaluation.sr.codes import (
    ABSENT,
    ALGORITHM_NAME,
    CONCLUSIVE,
    DERIVATION,
    DESCRIPTIVE,
    MEASUREMENT_GROUP,
    OF_ANOTHER_TIME,
    PRESENT,
    QUALIFIERS,
    QUALITATIVE_EVALUATIONS,
    SOURCE_SERIES,
    TRACKING_UID,
    UNDETERMINED,
    among,
    code_in,
    same,
)
from inference.evaluation.sr.tree import Tree, image_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Code

_EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")


class Presence(StrEnum):
    """Whether something is there."""

    PRESENT = "present"
    ABSENT = "absent"
    #: The report leaves it open.
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Said:
    """A coded statement that something is there or not.

    Attributes
    ----------
    outright
        Whether presence is said in so many words (an evaluation as present or absent), not only by naming
        the finding.
    """

    finding: Code
    presence: Presence
    outright: bool


@dataclass(frozen=True, slots=True)
class Number:
    """A measured value; `derivation` says how it was condensed (mean, maximum), where the report says so."""

    name: Code
    value: float
    unit: Code
    derivation: Code | None


@dataclass(frozen=True, slots=True)
class Region:
    """Coordinates.

    Attributes
    ----------
    kind
        Graphic Type.
    points
        Column and row in pixels of an image (0 and 0 is the outer corner of the first pixel), or LPS in mm.
    sop_instance_uid, frames
        Of the image that they lie on; `None` and empty in three dimensions.
    frame_of_reference
        Of points in three dimensions.
    """

    kind: str
    points: tuple[tuple[float, ...], ...]
    sop_instance_uid: str | None = None
    frames: tuple[int, ...] = ()
    frame_of_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A measurement group, or what stands directly under another heading.

    Attributes
    ----------
    group
        Whether it is a measurement group (PS3.16 TID 1410, 1411, 1501 and their like).
    instances, series
        UIDs of the images and series that it refers to itself.
    algorithm
        Name of the algorithm that made it, where one did.
    """

    group: bool
    tracking_uid: str | None
    said: tuple[Said, ...]
    numbers: tuple[Number, ...]
    regions: tuple[Region, ...]
    instances: frozenset[str]
    series: frozenset[str]
    algorithm: str | None

    @property
    def findings(self) -> tuple[Code, ...]:
        """What it says is there or not, each once."""
        return tuple(dict.fromkeys(one.finding for one in self.said))


@dataclass(frozen=True, slots=True)
class Report:
    """A structured report.

    Attributes
    ----------
    instances
        UIDs of all that it refers to as evidence or in its content.
    replaces
        UIDs of the reports whose place it takes (PS3.3 §C.17.2).
    """

    sop_instance_uid: str
    study_instance_uid: str
    passages: tuple[Passage, ...]
    instances: frozenset[str]
    replaces: frozenset[str]

    @property
    def algorithms(self) -> frozenset[str]:
        """Names of the algorithms that made something of it."""
        return frozenset(passage.algorithm for passage in self.passages if passage.algorithm)


def read_report(ds: Dataset) -> Report:
    """Read the content tree of a structured report (PS3.3 §C.17.3).

    Raises
    ------
    InferenceFailed
        If it is no content tree.
    """
    try:
        tree = Tree(ds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote values
            passages = tuple(_passages(tree))
            evidence = frozenset(uid for keyword in _EVIDENCE for uid in _instances(ds, keyword))
        return Report(
            sop_instance_uid=str(ds.SOPInstanceUID),
            study_instance_uid=str(ds.StudyInstanceUID),
            passages=passages,
            instances=evidence.union(*(passage.instances for passage in passages)),
            replaces=frozenset(_instances(ds, "PredecessorDocumentsSequence")),
        )
    except InferenceFailed:
        raise
    except Exception as exc:
        # A broken data set makes the library raise whatever it likes, and its text may hold values.
        raise InferenceFailed(f"it cannot be read as a structured report ({type(exc).__name__})") from exc


def _passages(tree: Tree) -> Iterator[Passage]:
    for container, titles in tree.containers():
        if any(among(title, OF_ANOTHER_TIME) for title in titles):
            continue
        if any(same(title, MEASUREMENT_GROUP) for title in titles[:-1]):
            continue  # told with the group that it stands in
        yield _passage(tree, container, titles[-1])


def _passage(tree: Tree, container: Dataset, title: Code | None) -> Passage:
    group = same(title, MEASUREMENT_GROUP)
    free = group or same(title, QUALITATIVE_EVALUATIONS)
    items = list(tree.below(container, into_containers=group))
    named = [(code_in(item, "ConceptNameCodeSequence"), item) for item in items]
    # What the group itself draws, or else what its numbers were taken from.
    drawn = [region for item in tree.children(container) if (region := _region(tree, item)) is not None]
    drawn = drawn or [region for item in items if (region := _region(tree, item)) is not None]
    return Passage(
        group=group,
        tracking_uid=_text(named, TRACKING_UID, "UID"),
        said=tuple(said for item in items if (said := _said(tree, item, free=free)) is not None),
        numbers=tuple(number for item in items if (number := _number(tree, item)) is not None),
        regions=tuple(drawn),
        instances=frozenset(image[0] for item in items if (image := image_of(item)) is not None),
        series=frozenset(str(item.get("UID")) for name, item in named if same(name, SOURCE_SERIES)),
        algorithm=_text(named, ALGORITHM_NAME, "TextValue"),
    )


def _text(named: list[tuple[Code | None, Dataset]], wanted: Code, keyword: str) -> str | None:
    return next((str(item.get(keyword)) for name, item in named if same(name, wanted)), None)


def _said(tree: Tree, item: Dataset, *, free: bool) -> Said | None:
    """A statement of presence; `free` takes findings under any name, as groups have them."""
    if item.get("ValueType") != "CODE" or item.get("RelationshipType") != "CONTAINS":
        return None
    name, value = code_in(item, "ConceptNameCodeSequence"), code_in(item, "ConceptCodeSequence")
    if name is None or value is None or among(name, DESCRIPTIVE):
        return None
    conclusive, presence = among(name, CONCLUSIVE), _presence(value)
    if presence is not None and not conclusive:
        return Said(name, presence, outright=True)
    if not conclusive and (not free or among(value, QUALIFIERS)):
        return None
    modifiers = (_presence(code_in(child, "ConceptCodeSequence")) for child in tree.children(item))
    told = next((modifier for modifier in modifiers if modifier is not None), None)
    return Said(value, told or Presence.PRESENT, outright=told is not None)


def _presence(value: Code | None) -> Presence | None:
    meanings = ((PRESENT, Presence.PRESENT), (ABSENT, Presence.ABSENT), (UNDETERMINED, Presence.OPEN))
    return next((presence for codes, presence in meanings if among(value, codes)), None)


def _number(tree: Tree, item: Dataset) -> Number | None:
    name, values = code_in(item, "ConceptNameCodeSequence"), item.get("MeasuredValueSequence")
    if item.get("ValueType") != "NUM" or name is None or not values:
        return None  # a number without a value says why it has none
    unit = code_in(values[0], "MeasurementUnitsCodeSequence")
    raw = values[0].get("FloatingPointValue")
    value = float(values[0].get("NumericValue") if raw is None else raw)
    if unit is None or not math.isfinite(value):
        return None
    modifiers = [
        code_in(child, "ConceptCodeSequence")
        for child in tree.children(item)
        if same(code_in(child, "ConceptNameCodeSequence"), DERIVATION)
    ]
    return Number(name, value, unit, modifiers[0] if modifiers else None)


def _region(tree: Tree, item: Dataset) -> Region | None:
    kind, graphic = item.get("ValueType"), str(item.get("GraphicType") or "")
    size = {"SCOORD": 2, "SCOORD3D": 3}.get(str(kind))
    if size is None:
        return None
    values = [float(value) for value in item.get("GraphicData") or ()]
    if not values or len(values) % size or not all(map(math.isfinite, values)):
        return None
    points = tuple(tuple(values[start : start + size]) for start in range(0, len(values), size))
    if size == 3:
        return Region(
            graphic, points, frame_of_reference=str(item.get("ReferencedFrameOfReferenceUID") or "")
        )
    image = next((found for child in tree.children(item) if (found := image_of(child)) is not None), None)
    return Region(graphic, points, *(image or (None, ())))


def _instances(ds: Dataset, keyword: str) -> Iterator[str]:
    """UIDs of a hierarchical reference of instances (PS3.3 §C.17.2.1)."""
    for study in ds.get(keyword) or ():
        for series in study.get("ReferencedSeriesSequence") or ():
            for instance in series.get("ReferencedSOPSequence") or ():
                yield str(instance.ReferencedSOPInstanceUID)
