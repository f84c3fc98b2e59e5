"""Rules of structured reports: the content tree, and that viewers can show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from inference.encode.checks.baseline import Baseline

_MEASUREMENT_REPORT = ("126000", "DCM")
_MEASUREMENT_GROUP = ("125007", "DCM")
_TRACKING_IDENTIFIER = ("112039", "DCM")
_TRACKING_UID = ("112040", "DCM")
_ALGORITHM = {("111001", "DCM"): "name", ("111003", "DCM"): "version"}
_OBSERVER = {
    ("121012", "DCM"): "DeviceUID",
    ("121014", "DCM"): "Manufacturer",
    ("121015", "DCM"): "ManufacturerModelName",
}
# Graphic types that OHIF draws; POLYGON crashes its view.
_DRAWN = frozenset({"POINT", "POLYLINE", "CIRCLE", "ELLIPSE"})
# What an item of a value type cannot do without (PS3.3 §C.17.3.2).
_VALUES = {
    "TEXT": "TextValue",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "UIDREF": "UID",
    "IMAGE": "ReferencedSOPSequence",
    "COMPOSITE": "ReferencedSOPSequence",
    "SCOORD": "GraphicData",
    "CONTAINER": "ContentSequence",
}


def check_report(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of a structured report."""
    if ds.get("ValueType") != "CONTAINER":
        yield "the root of the content tree is no CONTAINER"
    if baseline.series_sizes.get(ds.get("SeriesInstanceUID"), 0) > 1:
        yield "a report is not alone in its series"
    items = list(_items(ds))
    for item in items:
        yield from _check_item(item)
    yield from _check_observer(ds)
    yield from _check_evidence(ds, items)
    if name_of(ds) == _MEASUREMENT_REPORT:
        yield from _check_groups([item for item in items if name_of(item) == _MEASUREMENT_GROUP])


def name_of(item: Dataset) -> tuple[str, str] | None:
    """Value and scheme of an item's concept name."""
    names = item.get("ConceptNameCodeSequence")
    return (str(names[0].CodeValue), str(names[0].CodingSchemeDesignator)) if names else None


def _items(parent: Dataset) -> Iterator[Dataset]:
    for item in parent.get("ContentSequence") or ():
        yield item
        yield from _items(item)


def _check_item(item: Dataset) -> Iterator[str]:
    kind = item.get("ValueType")
    if kind not in _VALUES:
        yield "a content item has a value type that the node does not write"
        return
    if not item.get(_VALUES[kind]):
        yield f"a content item of type {kind} has no value"
    if not item.get("RelationshipType"):
        yield f"a content item of type {kind} has no relationship to its parent"
    if kind != "IMAGE" and name_of(item) is None:
        yield f"a content item of type {kind} has no concept name"
    if kind == "CONTAINER" and item.get("ContinuityOfContent") != "SEPARATE":
        yield "a CONTAINER is not SEPARATE: viewers show run-on text"
    if kind == "NUM":
        for value in item.get("MeasuredValueSequence") or ():
            if not value.get("MeasurementUnitsCodeSequence"):
                yield "a number has no unit"
    if kind == "SCOORD":
        yield from _check_coordinates(item)


def _check_coordinates(item: Dataset) -> Iterator[str]:
    if item.get("GraphicType") not in _DRAWN:
        yield "coordinates have a graphic type that viewers do not draw"
    if not any(child.get("ValueType") == "IMAGE" for child in item.get("ContentSequence") or ()):
        yield "coordinates name no image"


def _check_observer(ds: Dataset) -> Iterator[str]:
    """The device observer (TID 1004) is a device of Contributing Equipment."""
    observed = {}
    for item in ds.get("ContentSequence") or ():
        keyword = _OBSERVER.get(name_of(item) or ("", ""))
        if keyword:
            observed[keyword] = str(item.get("UID") or item.get("TextValue"))
    for keyword in _OBSERVER.values():
        if keyword not in observed:
            yield f"the device observer has no {keyword}"
    devices = ds.get("ContributingEquipmentSequence") or ()
    if not any(all(str(device.get(k)) == v for k, v in observed.items()) for device in devices):
        yield "the device observer is not in ContributingEquipmentSequence"


def _check_evidence(ds: Dataset, items: list[Dataset]) -> Iterator[str]:
    """Everything that the tree refers to stands in the evidence (PS3.3 §C.17.2)."""
    evidence = {
        instance.ReferencedSOPInstanceUID
        for study in ds.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedSOPSequence") or ()
    }
    referenced = {
        reference.ReferencedSOPInstanceUID
        for item in items
        for reference in item.get("ReferencedSOPSequence") or ()
    }
    if referenced - evidence:
        yield "the content tree refers to an instance that is not in the evidence"


def _check_groups(groups: list[Dataset]) -> Iterator[str]:
    """Every group can be drawn: OHIF's view fails on one without coordinates of its tracking UID."""
    if not groups:
        yield "a measurement report has no measurement group"
    drawn: dict[str | None, bool] = {}
    for group in groups:
        children = {name_of(child): child for child in group.get("ContentSequence") or ()}
        if _TRACKING_IDENTIFIER not in children or _TRACKING_UID not in children:
            yield "a measurement group lacks its tracking identifiers"
        for name, what in _ALGORITHM.items():
            if name not in children:
                yield f"a measurement group lacks its algorithm's {what}"
        uid = children[_TRACKING_UID].get("UID") if _TRACKING_UID in children else None
        drawn[uid] = drawn.get(uid, False) or any(i.get("ValueType") == "SCOORD" for i in _items(group))
    if not all(drawn.values()):
        yield "a measurement group has no coordinates and shares no tracking UID with one that has"
