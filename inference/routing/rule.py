"""A routing rule, and whether a series fits it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason
from inference.routing.condition import Condition, judge

if TYPE_CHECKING:
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts


@dataclass(frozen=True, slots=True)
class Route:
    """A rule: series for which all conditions of `when` hold, and none of `unless`, go to the models.

    Attributes
    ----------
    models
        Names of model packages; each takes the best of the series, or all of them.
    unless
        A series for which all conditions of one of these hold does not fit.
    every_series
        Whether each model works on every series that it takes, or on the best of them only.
    stop
        Whether a series that fits goes to no later rule.
    sample
        Share of the studies that the rule is for, 0 to 1.
    stat
        Whether studies that fit are worked on before others.
    """

    name: str
    models: tuple[str, ...]
    when: Condition = field(default_factory=Condition)
    unless: tuple[Condition, ...] = ()
    every_series: bool = False
    stop: bool = False
    sample: float = 1.0
    stat: bool = False


def check_route(
    route: Route,
    series: SeriesFacts,
    table: BodyPartTable,
    *,
    senders: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """Why a series fits a rule or not: one reason for each condition, with what was measured."""
    rule, subject = f"route.{route.name}", series.series_instance_uid
    reasons = [
        Reason(subject, rule, passed, text) for passed, text in judge(route.when, series, senders, table)
    ]
    for excluded in route.unless:
        told = list(judge(excluded, series, senders, table))
        holds = bool(told) and all(passed for passed, _ in told)
        texts = "; ".join(text for _, text in told)
        reasons.append(
            Reason(subject, rule, not holds, f"{'excluded' if holds else 'not excluded'}: {texts}")
        )
    return tuple(reasons)


def is_sampled(route: Route, study_instance_uid: str, key: bytes) -> bool:
    """Whether a study is among the sample of a rule: always the same answer for the same study and key."""
    if route.sample >= 1:
        return True
    digest = hmac.digest(key, f"{route.name}\0{study_instance_uid}".encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big") < route.sample * 2**64
