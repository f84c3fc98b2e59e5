"""Makes the `Prediction` of a run from the manifest and what the model gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import (
    ClassFinding,
    Code,
    Detection,
    Explanation,
    Measurement,
    Prediction,
    Segment,
)
from dicom_node.domain.run import RunStatus
from inference.runner.facts import segment_facts
from inference.tasks.verdict import decide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.run import Assignment, Reason
    from inference.contract.outputs import OutputMeasurement, OutputSegment
    from inference.contract.package import ModelManifest
    from inference.runner.answer import FoundBox, ModelAnswer

#: How every rejection begins: the node never forces a prediction.
UNDETERMINED = "Unable to determine"
#: SNOMED CT and UCUM, as the measurement groups of PS3.16 TID 1410 use them.
_DIAMETER = Code("81827009", "SCT", "Diameter")
_MILLIMETER = Code("mm", "UCUM", "millimeter")


@dataclass(frozen=True, slots=True)
class RunSource:
    """What a prediction is about.

    Attributes
    ----------
    sop_instance_uids, frames
        As `Prediction.source_sop_instance_uids` and `source_frames`.
    spacing_mm
        Of voxels along slices, rows and columns; `None` where it is not known.
    """

    sop_instance_uids: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None


def rejected(
    manifest: ModelManifest,
    assignment: Assignment,
    reasons: Sequence[Reason],
    source: RunSource,
    answer: ModelAnswer | None = None,
) -> Prediction:
    """A run that a gate ended; its reason names every gate that refused.

    Where the model ran, its classes are told with their probabilities, and none of them as present.
    """
    refused = "; ".join(dict.fromkeys(reason.text for reason in reasons if not reason.passed))
    confidence = answer.confidence if answer else None
    return Prediction(
        model=manifest.identity,
        series_instance_uid=assignment.series_instance_uid,
        status=RunStatus.REJECTED,
        reason=f"{UNDETERMINED}: {refused}",
        confidence=confidence if confidence is not None and 0 <= confidence <= 1 else None,
        source_sop_instance_uids=source.sop_instance_uids,
        reasons=tuple(reasons),
        notices=manifest.card.notices,
        elapsed_s=answer.elapsed_s if answer else 0.0,
        task=manifest.task,
        classes=_classes(manifest, answer, said=False) if answer else (),
        region=manifest.region,
        source_frames=source.frames,
        spacing_mm=source.spacing_mm,
    )


def done(
    manifest: ModelManifest,
    assignment: Assignment,
    reasons: Sequence[Reason],
    source: RunSource,
    answer: ModelAnswer,
) -> Prediction:
    """A run that every gate let through.

    Raises
    ------
    InferenceFailed
        If a fact that the manifest reports was not measured; the message names it.
    """
    return Prediction(
        model=manifest.identity,
        series_instance_uid=assignment.series_instance_uid,
        status=RunStatus.DONE,
        label=_label(manifest, answer),
        confidence=round(answer.confidence, 4),
        segments=tuple(_segment(manifest, segment, answer.facts) for segment in manifest.segments),
        measurements=_measurements(manifest, manifest.measurements, answer.facts),
        source_sop_instance_uids=source.sop_instance_uids,
        arrays=answer.arrays,
        reasons=tuple(reasons),
        notices=manifest.card.notices,
        elapsed_s=answer.elapsed_s,
        task=manifest.task,
        classes=_classes(manifest, answer, said=True),
        detections=tuple(
            _detection(manifest, number, box, source.spacing_mm)
            for number, box in enumerate(_shown(manifest, answer.boxes), 1)
        ),
        maps=manifest.maps,
        explanation=_explanation(manifest, answer),
        region=manifest.region,
        source_frames=source.frames,
        spacing_mm=source.spacing_mm,
    )


def _label(manifest: ModelManifest, answer: ModelAnswer) -> str:
    words: dict[str, float | str] = dict(answer.facts)
    words["confidence_percent"] = 100 * answer.confidence
    if manifest.classification is not None:
        p = [answer.classes[one.name] for one in manifest.classification.classes]
        verdict = decide(manifest.classification, p)
        present = [
            one.label
            for one, there in zip(manifest.classification.classes, verdict.present, strict=True)
            if there
        ]
        words["class_label"] = ", ".join(present) or "None of the findings looked for"
        words["probability_percent"] = 100 * (p[verdict.said] if present else verdict.confidence)
    try:
        return manifest.describe(words)
    except KeyError as exc:
        raise _not_measured(manifest, str(exc.args[0])) from exc
    except ValueError as exc:
        raise InferenceFailed(f"{manifest.name}: outputs.label holds a format that fits no number") from exc


def _segment(manifest: ModelManifest, segment: OutputSegment, facts: Mapping[str, float]) -> Segment:
    return Segment(
        number=segment.number,
        label=segment.label,
        category=segment.category,
        type=segment.type,
        anatomic_region=segment.anatomic_region,
        cielab=segment.cielab,
        measurements=_measurements(manifest, segment.measurements, segment_facts(facts, segment.number)),
    )


def _measurements(
    manifest: ModelManifest, wanted: Sequence[OutputMeasurement], facts: Mapping[str, float]
) -> tuple[Measurement, ...]:
    for one in wanted:
        if one.fact not in facts:
            raise _not_measured(manifest, one.fact)
    return tuple(Measurement(one.name, round(facts[one.fact], one.digits), one.unit) for one in wanted)


def _classes(manifest: ModelManifest, answer: ModelAnswer, *, said: bool) -> tuple[ClassFinding, ...]:
    output = manifest.classification
    if output is None:
        return ()
    verdict = decide(output, [answer.classes[one.name] for one in output.classes])
    return tuple(
        ClassFinding(
            name=one.name,
            label=one.label,
            code=one.code,
            probability=round(min(1.0, max(0.0, answer.classes[one.name])), 4),
            abnormal=one.abnormal,
            present=said and there,
        )
        for one, there in zip(output.classes, verdict.present, strict=True)
    )


def _shown(manifest: ModelManifest, boxes: Sequence[FoundBox]) -> tuple[FoundBox, ...]:
    """Boxes that reach the score that the manifest asks for."""
    least = {one.name: one.min_score for one in manifest.detections}
    return tuple(box for box in boxes if box.score >= least[box.name])


def _detection(
    manifest: ModelManifest, number: int, box: FoundBox, spacing_mm: tuple[float, float, float] | None
) -> Detection:
    (category,) = (one for one in manifest.detections if one.name == box.name)
    measurements: tuple[Measurement, ...] = ()
    if spacing_mm is not None:
        _, rows, columns = (
            (end - begin) * step
            for begin, end, step in zip(box.box[:3], box.box[3:], spacing_mm, strict=True)
        )
        # The longer edge in the plane of the slices: what a box knows of a diameter.
        measurements = (Measurement(_DIAMETER, round(max(rows, columns), 1), _MILLIMETER),)
    return Detection(
        number=number,
        label=category.label,
        code=category.code,
        score=round(box.score, 4),
        box=box.box,
        anatomic_region=category.anatomic_region,
        cielab=category.cielab,
        measurements=measurements,
    )


def _explanation(manifest: ModelManifest, answer: ModelAnswer) -> Explanation | None:
    if answer.heat is None or manifest.classification is None:
        return None
    method, target = answer.heat
    labels = {one.name: one.label for one in manifest.classification.classes}
    return Explanation(method, labels[target])


def _not_measured(manifest: ModelManifest, fact: str) -> InferenceFailed:
    return InferenceFailed(
        f"{manifest.name}: the manifest reports {fact}, but it was not measured; the model gives no such fact"
    )
