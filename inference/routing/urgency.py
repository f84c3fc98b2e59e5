"""Whether a study goes first: its own priority, or a rule that says so for what fits it.

Decided before de-identification, from headers that are still the sender's: only the answer leaves here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from inference.attributes import (
    REQUEST_ATTRIBUTES_SEQUENCE,
    REQUESTED_PROCEDURE_PRIORITY,
    items,
    text,
)
from inference.routing.eligibility import passed
from inference.routing.rule import check_route
from inference.routing.series import group_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from inference.routing.body_part import BodyPartTable
    from inference.routing.condition import Condition
    from inference.routing.rule import Route

#: Values of Requested Procedure Priority (0040,1003) that let a study overtake others.
_URGENT = frozenset({"STAT", "HIGH"})


def is_stat(
    headers: Sequence[CatalogEntry],
    senders: frozenset[str],
    routes: Sequence[Route],
    table: BodyPartTable,
) -> bool:
    """Whether the study that these headers are of goes first.

    Parameters
    ----------
    headers
        Of some instances of each series; how many images a series has is not known from them.

    References
    ----------
    PS3.4 Table K.6-1 (Requested Procedure Priority).
    """
    for entry in headers:
        holders = (entry.attributes, *items(entry.attributes, REQUEST_ATTRIBUTES_SEQUENCE))
        if any(text(holder, REQUESTED_PROCEDURE_PRIORITY) in _URGENT for holder in holders):
            return True
    urgent = [_uncounted(route) for route in routes if route.stat]
    if not urgent:
        return False
    return any(
        passed(check_route(route, series, table, senders=senders))
        for series in group_series(headers, table)
        for route in urgent
    )


def _uncounted(route: Route) -> Route:
    """The rule without numbers of images: of a series only some headers are here."""
    return replace(
        route, when=_any_number(route.when), unless=tuple(_any_number(one) for one in route.unless)
    )


def _any_number(condition: Condition) -> Condition:
    return replace(condition, min_instances=None, max_instances=None)
