"""Measured facts against the limits of a manifest."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference.contract import GateLimit


def check_limits(limits: Sequence[GateLimit], facts: Mapping[str, float], subject: str) -> tuple[Reason, ...]:
    """One reason per limit; a fact that could not be measured does not pass."""
    return tuple(_check(limit, facts.get(limit.fact), subject) for limit in limits)


def check_confidence(confidence: float, least: float, subject: str) -> Reason:
    """Whether a model is sure enough; one that gives no number in [0, 1] is not."""
    sure = isfinite(confidence) and least <= confidence <= 1
    text = f"confidence is {confidence:.3f}, at least {least:.3f} is asked for"
    return Reason(subject, "gate.confidence", sure, text)


def _check(limit: GateLimit, value: float | None, subject: str) -> Reason:
    rule = f"gate.{limit.fact}"
    if value is None or not isfinite(value):
        return Reason(subject, rule, passed=False, text=f"{limit.text}: could not be measured")
    low_ok = limit.at_least is None or value >= limit.at_least
    high_ok = limit.at_most is None or value <= limit.at_most
    text = f"{limit.text} is {value:.4g}, allowed: {_range(limit)}"
    return Reason(subject, rule, low_ok and high_ok, text)


def _range(limit: GateLimit) -> str:
    if limit.at_least is None:
        return f"at most {limit.at_most:g}"
    if limit.at_most is None:
        return f"at least {limit.at_least:g}"
    return f"{limit.at_least:g} to {limit.at_most:g}"
