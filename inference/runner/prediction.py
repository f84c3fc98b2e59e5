"""Makes the `Prediction` of a run from the manifest and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import Measurement, Prediction, Segment
from dicom_node.domain.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicom_node.domain.run import Assignment, Reason
    from inference.contract import ModelManifest, OutputSegment

#: How every rejection begins: the node never forces a prediction.
UNDETERMINED = "Unable to determine"


def rejected(
    manifest: ModelManifest,
    assignment: Assignment,
    reasons: Sequence[Reason],
    *,
    confidence: float | None = None,
    elapsed_s: float = 0.0,
) -> Prediction:
    """A run that a gate ended; its reason names every gate that refused."""
    refused = "; ".join(dict.fromkeys(reason.text for reason in reasons if not reason.passed))
    return Prediction(
        model=manifest.identity,
        series_instance_uid=assignment.series_instance_uid,
        status=RunStatus.REJECTED,
        reason=f"{UNDETERMINED}: {refused}",
        confidence=confidence,
        reasons=tuple(reasons),
        notices=manifest.card.notices,
        elapsed_s=elapsed_s,
    )


def done(
    manifest: ModelManifest,
    assignment: Assignment,
    reasons: Sequence[Reason],
    *,
    sop_instance_uids: tuple[str, ...],
    arrays: bytes,
    facts: Mapping[str, float],
    numbers: Sequence[int],
    confidence: float,
    elapsed_s: float,
) -> Prediction:
    """A run that every gate let through.

    Parameters
    ----------
    numbers
        Segment numbers that the mask holds.

    Raises
    ------
    InferenceFailed
        If the mask and the manifest name different segments, or a fact to report was not measured.
    """
    if sorted(numbers) != [segment.number for segment in manifest.segments]:
        raise InferenceFailed(f"{manifest.name}: the mask's values and the manifest's segments differ")
    try:
        label = manifest.describe(facts)
        segments = tuple(_segment(segment, facts) for segment in manifest.segments)
    except (KeyError, ValueError) as exc:
        raise InferenceFailed(f"{manifest.name}: a fact that the manifest reports was not measured") from exc
    return Prediction(
        model=manifest.identity,
        series_instance_uid=assignment.series_instance_uid,
        status=RunStatus.DONE,
        label=label,
        confidence=round(confidence, 4),
        segments=segments,
        source_sop_instance_uids=sop_instance_uids,
        arrays=arrays,
        reasons=tuple(reasons),
        notices=manifest.card.notices,
        elapsed_s=elapsed_s,
    )


def _segment(segment: OutputSegment, facts: Mapping[str, float]) -> Segment:
    return Segment(
        number=segment.number,
        label=segment.label,
        category=segment.category,
        type=segment.type,
        anatomic_region=segment.anatomic_region,
        cielab=segment.cielab,
        measurements=tuple(
            Measurement(m.name, round(facts[m.fact], m.digits), m.unit) for m in segment.measurements
        ),
    )
