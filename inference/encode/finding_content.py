"""What the full report says of a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.finding import Code
from inference.encode.box_groups import box_size
from inference.encode.class_groups import probability_names
from inference.encode.context import RESEARCH_NOTICE
from inference.encode.group_parts import ABSENT, certainty, of_whole_series, percent
from inference.encode.report_content import (
    FINDING,
    FINDING_SITE,
    SUMMARY,
    Line,
    Section,
    card_section,
    comments,
    gates_section,
    model_section,
)
from inference.preprocess.spacing import SpacingMeaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.finding import Detection, Measurement, Segment
    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext

_FINDINGS = Code("59776-5", "LN", "Findings")
_SUMMARY = Code("55112-7", "LN", "Summary")
#: A classifier may look at many slices; so many of them have a line of their own.
_SLICE_LINES = 40


def finding_sections(
    context: ResultContext, arrays: PredictionArrays, left_out: Sequence[str] = ()
) -> tuple[Section, ...]:
    """The report's sections in their order: summary, findings, procedure, gates, model card.

    Parameters
    ----------
    left_out
        Sentences on results that could not be made.
    """
    card = card_section(context)
    return (
        Section(_SUMMARY, tuple(_summary(context))),
        Section(_FINDINGS, tuple(_findings(context, arrays))),
        model_section(context, _work(context)),
        gates_section(context, comments(left_out)),
        *([card] if card else []),
    )


def _summary(context: ResultContext) -> Iterator[Line]:
    prediction = context.prediction
    sentences = [f"{prediction.label}."] if prediction.label else []
    sentences += [
        f"{measurement.name.meaning}: {measurement.value:,.6g} {measurement.unit.value}."
        for measurement in _all_measurements(context)
    ]
    sentences += [
        f"{name.meaning}: {100 * one.probability:.1f} %."
        for name, one in probability_names(prediction.classes)
    ]
    if prediction.detections:
        best = prediction.detections[0]
        sentences.append(
            f"{len(prediction.detections)} found, the surest with a score of {100 * best.score:.1f} %."
        )
    if prediction.confidence is not None:
        sentences.append(f"Confidence: {100 * prediction.confidence:.1f} %.")
    sentences.append(f"Found by {context.model.name} {context.model.version}.")
    yield Line(SUMMARY, " ".join(sentences))
    yield from comments((RESEARCH_NOTICE, *prediction.notices))


def _findings(context: ResultContext, arrays: PredictionArrays) -> Iterator[Line | Measurement]:
    prediction = context.prediction
    codes = [segment.type for segment in prediction.segments]
    codes += [one.code for one in prediction.classes if one.present]
    if prediction.label and prediction.label not in {code.meaning for code in codes}:
        yield Line(FINDING, prediction.label)
    for segment in prediction.segments:
        yield from _segment(
            segment, drawn=arrays.mask is not None and bool((arrays.mask == segment.number).any())
        )
    for detection in prediction.detections:
        yield from _box(context, detection)
    for one in prediction.classes:
        if one.present:
            yield Line(FINDING, one.code)
    if prediction.region is not None and (prediction.classes or not prediction.segments):
        yield Line(FINDING_SITE, prediction.region)
    for name, one in probability_names(prediction.classes):
        yield percent(name, one.probability)
    yield from of_whole_series(prediction)
    if not prediction.detections:
        yield from certainty(prediction.confidence)
    yield from comments(_slices(context, arrays))


def _segment(segment: Segment, *, drawn: bool) -> Iterator[Line | Measurement]:
    yield Line(FINDING, segment.type)
    if not drawn:
        yield Line(segment.type, ABSENT)
    if segment.anatomic_region:
        yield Line(FINDING_SITE, segment.anatomic_region)
    yield from segment.measurements


def _box(context: ResultContext, detection: Detection) -> Iterator[Line | Measurement]:
    yield Line(FINDING, detection.code)
    if detection.anatomic_region:
        yield Line(FINDING_SITE, detection.anatomic_region)
    yield from certainty(detection.score)
    size = box_size(context.source, detection)
    yield from detection.measurements
    said = {measurement.name for measurement in detection.measurements}
    yield from (measurement for measurement in size.values() if measurement.name not in said)
    first, top, left, last, bottom, right = detection.box
    where = f"rows {top:.0f} to {bottom:.0f}, columns {left:.0f} to {right:.0f}"
    if context.source.shape[0] > 1:
        start, end = int(first) + 1, int(np.ceil(last))
        where = f"slices {start} to {end}, {where}" if end > start else f"slice {start}, {where}"
    yield from comments([f"{detection.label} {detection.number}: {where}."])


def _slices(context: ResultContext, arrays: PredictionArrays) -> Iterator[str]:
    """What a classifier said of single slices, counted from 1."""
    said, looked_at = arrays.slice_probability, arrays.slice_index
    if said is None or looked_at is None or len(looked_at) < 2:
        return
    labels = [one.label for one in context.prediction.classes]
    yield f"{len(looked_at)} slices were looked at, numbered from 1 along the slice normal."
    for index, values in list(zip(looked_at, said, strict=True))[:_SLICE_LINES]:
        each = ", ".join(f"{label} {100 * value:.0f} %" for label, value in zip(labels, values, strict=True))
        yield f"Slice {int(index) + 1}: {each}."
    if len(looked_at) > _SLICE_LINES:
        yield f"{len(looked_at) - _SLICE_LINES} more slices are not listed."


def _work(context: ResultContext) -> str:
    source = context.source
    slices, rows, columns = source.shape
    what = "frames" if source.frames else "slices" if source.has_geometry else "images"
    size = f"{slices} {what} of {rows} x {columns} pixels"
    if source.spacing_meaning is not SpacingMeaning.UNKNOWN:
        apart = f", {source.slice_spacing:.3g} mm apart" if source.slice_spacing else ""
        where = " at the detector" if source.spacing_meaning is SpacingMeaning.DETECTOR else ""
        size += f" ({source.spacing[0]:.3g} x {source.spacing[1]:.3g} mm{where}{apart})"
    return f"{size} in {context.prediction.elapsed_s:.1f} s."


def _all_measurements(context: ResultContext) -> list[Measurement]:
    """Measurements of segments, boxes and series, each once."""
    prediction = context.prediction
    of_segments = [m for segment in prediction.segments for m in segment.measurements]
    return of_segments + of_whole_series(prediction)
