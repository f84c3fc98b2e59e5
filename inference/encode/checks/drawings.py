"""Rules of structure sets, presentation states and key objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from inference.encode.checks.baseline import Baseline


def check_structure_set(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of an RT Structure Set (PS3.3 §C.8.8.5, §C.8.8.6, §C.8.8.8)."""
    if ds.get("FrameOfReferenceUID") != baseline.header.get("FrameOfReferenceUID") and (
        len(baseline.source_series) == 1
    ):
        yield "FrameOfReferenceUID is not the source's"
    numbers = {roi.get("ROINumber") for roi in ds.get("StructureSetROISequence") or ()}
    for name in ("ROIContourSequence", "RTROIObservationsSequence"):
        if {item.get("ReferencedROINumber") for item in ds.get(name) or ()} != numbers:
            yield f"{name} does not have one item for each ROI"
    for roi in ds.get("ROIContourSequence") or ():
        contours = roi.get("ContourSequence") or ()
        if not contours:
            yield "an ROI has no contour"
        for contour in contours:
            points = int(contour.get("NumberOfContourPoints") or 0)
            if points < 3 or _count(contour, "ContourData") != 3 * points:
                yield "a contour does not have the points that it says"
            if contour.get("ContourGeometricType") != "CLOSED_PLANAR":
                yield "a contour is not CLOSED_PLANAR"


def _count(ds: Dataset, keyword: str) -> int:
    """How many values a text attribute has; a structure set has too many of them to decode each."""
    element = ds.get_item(keyword)
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        return value.count(b"\\") + 1 if value.strip() else 0
    return len(value or ())


def check_presentation_state(ds: Dataset, baseline: Baseline) -> Iterator[str]:
    """Yield the problems of a Grayscale Softcopy Presentation State (PS3.3 §C.10.5, §C.11.11)."""
    layers = {layer.get("GraphicLayer") for layer in ds.get("GraphicLayerSequence") or ()}
    shown = {
        image.get("ReferencedSOPInstanceUID")
        for series in ds.get("ReferencedSeriesSequence") or ()
        for image in series.get("ReferencedImageSequence") or ()
    }
    for annotation in ds.get("GraphicAnnotationSequence") or ():
        if annotation.get("GraphicLayer") not in layers:
            yield "an annotation lies on a layer that is not described"
        for image in annotation.get("ReferencedImageSequence") or ():
            if image.get("ReferencedSOPInstanceUID") not in shown:
                yield "an annotation is on an image that the presentation state does not show"
        for graphic in annotation.get("GraphicObjectSequence") or ():
            yield from _check_graphic(graphic, baseline)


def check_key_objects(ds: Dataset) -> Iterator[str]:
    """Yield the problems of a Key Object Selection Document (PS3.3 §C.17.6)."""
    evidence = {
        instance.get("ReferencedSOPInstanceUID")
        for study in ds.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedSOPSequence") or ()
    }
    named = {
        reference.get("ReferencedSOPInstanceUID")
        for item in ds.get("ContentSequence") or ()
        for reference in item.get("ReferencedSOPSequence") or ()
    }
    if not named:
        yield "no object is selected"
    if named != evidence:
        yield "CurrentRequestedProcedureEvidenceSequence does not list just what is selected"


def _check_graphic(graphic: Dataset, baseline: Baseline) -> Iterator[str]:
    data = [float(value) for value in graphic.get("GraphicData") or ()]
    if not data or len(data) != 2 * int(graphic.get("NumberOfGraphicPoints") or 0):
        yield "a graphic does not have the points that it says"
        return
    columns, rows = baseline.header.get("Columns"), baseline.header.get("Rows")
    if len(baseline.source_series) > 1 or graphic.get("GraphicAnnotationUnits") != "PIXEL":
        return
    if min(data) < 0 or max(data[::2]) > columns or max(data[1::2]) > rows:
        yield "a graphic reaches beyond the image"
