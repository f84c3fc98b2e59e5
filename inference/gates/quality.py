"""What images must be for any model: not blank, not noise, not saturated, and a CT in Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class _Demand:
    """A fact, the range that it must lie in, and what is told where it does not: it ends with what to do."""

    fact: str
    at_least: float | None
    at_most: float | None
    fine: str
    refused: str
    kind: RejectionKind = RejectionKind.QUALITY


_ALWAYS = (
    _Demand(
        "distinct_values", 8, None, "the images are not blank ({value:.0f} different values)",
        "the images look blank ({value:.0f} different values): send the series again, or check its export",
    ),
    _Demand(
        "blank_slices", None, 0.9, "{value:.0%} of the slices are blank",
        "{value:.0%} of the slices are blank: send the series again, or check its export",
    ),
    _Demand(
        "neighbour_correlation", 0.1, None,
        "the images are no noise (neighbouring pixels correlate by {value:.2f})",
        "the images look like noise (neighbouring pixels correlate by {value:.2f}, in images above 0.1):"
        " check the series in a viewer",
    ),
    _Demand(
        "at_maximum_fraction", None, 0.6, "{value:.0%} of the pixels have the largest value",
        "{value:.0%} of the pixels have the largest value: the export is saturated, send the original images",
    ),
)  # fmt: skip
_HOUNSFIELD = (
    _Demand(
        "lowest", None, -200, "the darkest values are those of air ({value:.0f} HU)",
        "the darkest value is {value:.0f}, so these are no Hounsfield units (air is -1000): send the original"
        " images with their rescale slope and intercept, without a window",
    ),
    _Demand(
        "highest", 0, 20000, "the brightest values can be Hounsfield units ({value:.0f})",
        "the brightest value is {value:.0f}, so these are no Hounsfield units: send the original images with"
        " their rescale slope and intercept",
    ),
)  # fmt: skip


def check_quality(
    facts: Mapping[str, float], subject: str, *, hounsfield: bool, limited: Collection[str] = ()
) -> tuple[Reason, ...]:
    """One reason for each demand.

    Parameters
    ----------
    facts
        Of `inference.gates.pixels.measure_pixels`.
    hounsfield
        Whether the model takes CT.
    limited
        Facts that the model's manifest sets a limit for: these are left to it.
    """
    demands = (*_ALWAYS, *(_HOUNSFIELD if hounsfield else ()))
    return tuple(
        _check(one, facts[one.fact], subject)
        for one in demands
        if one.fact in facts and one.fact not in limited
    )


def _check(demand: _Demand, value: float, subject: str) -> Reason:
    passed = (demand.at_least is None or value >= demand.at_least) and (
        demand.at_most is None or value <= demand.at_most
    )
    text = (demand.fine if passed else demand.refused).format(value=value)
    return Reason(subject, f"quality.{demand.fact}", passed, text, None if passed else demand.kind)
