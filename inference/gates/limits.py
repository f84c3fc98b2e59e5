"""Facts against the limits of a manifest."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.contract.inputs import GateLimit

#: What kind of doubt it is where a fact is out of its range; others by when they are measured.
_KINDS = {
    "coverage_mm": RejectionKind.GEOMETRY,
    "finest_spacing_mm": RejectionKind.GEOMETRY,
    "coarsest_spacing_mm": RejectionKind.GEOMETRY,
    "tilt_deg": RejectionKind.GEOMETRY,
    "neighbour_correlation": RejectionKind.QUALITY,
    "distinct_values": RejectionKind.QUALITY,
    "at_maximum_fraction": RejectionKind.QUALITY,
    "blank_slices": RejectionKind.QUALITY,
    "noise_level": RejectionKind.QUALITY,
    "agreement": RejectionKind.DISAGREEMENT,
    "confidence": RejectionKind.CONFIDENCE,
}


def check_limits(
    limits: Sequence[GateLimit],
    facts: Mapping[str, float],
    subject: str,
    kind: RejectionKind = RejectionKind.PLAUSIBILITY,
) -> tuple[Reason, ...]:
    """One reason per limit; a fact that could not be measured does not pass.

    Parameters
    ----------
    kind
        Of facts that have no kind of their own.
    """
    return tuple(_check(limit, facts.get(limit.fact), subject, kind) for limit in limits)


def check_confidence(confidence: float, least: float, subject: str) -> Reason:
    """Whether a model is sure enough; one that gives no number in [0, 1] is not."""
    sure = isfinite(confidence) and least <= confidence <= 1
    text = f"confidence is {confidence:.3f}, at least {least:.3f} is asked for"
    return Reason(subject, "gate.confidence", sure, text, None if sure else RejectionKind.CONFIDENCE)


def _check(limit: GateLimit, value: float | None, subject: str, kind: RejectionKind) -> Reason:
    rule = f"gate.{limit.fact}"
    kind = _KINDS.get(limit.fact, kind)
    if value is None or not isfinite(value):
        return Reason(subject, rule, passed=False, text=f"{limit.text}: could not be measured", kind=kind)
    low_ok = limit.at_least is None or value >= limit.at_least
    high_ok = limit.at_most is None or value <= limit.at_most
    text = f"{limit.text} is {value:.4g}, allowed: {_range(limit)}"
    return Reason(subject, rule, low_ok and high_ok, text, None if low_ok and high_ok else kind)


def _range(limit: GateLimit) -> str:
    if limit.at_least is None:
        return f"at most {limit.at_most:g}"
    if limit.at_most is None:
        return f"at least {limit.at_least:g}"
    return f"{limit.at_least:g} to {limit.at_most:g}"
