"""Measured values of reports as the known answers of a package's measurements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InferenceFailed
from inference.evaluation.sr.codes import MEAN, among, same
from inference.evaluation.sr.units import converted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.finding import Code
    from inference.evaluation.sr.content import Number, Passage

#: Values that differ by less than this share were rounded differently.
_ROUNDING = 1e-3


def value_of_segment(passages: Sequence[Passage], segment: Code, name: Code, unit: Code) -> float | None:
    """The value that reports give for a segment; `None` where they give none.

    It stands in a measurement group whose finding is the segment, or under a heading with this finding only.

    Raises
    ------
    InferenceFailed
        If there are several that differ, or none of them has a unit that can be converted.
    """
    of_it = [passage for passage in passages if among(segment, passage.findings)]
    alone = [passage for passage in of_it if not passage.group and len(passage.findings) == 1]
    return _first([[passage for passage in of_it if passage.group], alone], name, unit)


def value_of_series(
    passages: Sequence[Passage], segments: Sequence[Code], name: Code, unit: Code
) -> float | None:
    """The value that reports give for a series as a whole; `None` where they give none.

    Groups that name no finding come first, then those that name something else than the package's segments,
    then what stands outside of groups.

    Raises
    ------
    InferenceFailed
        As `value_of_segment`.
    """
    groups = [passage for passage in passages if passage.group]
    others = [
        passage for passage in groups if not any(among(segment, passage.findings) for segment in segments)
    ]
    outside = [passage for passage in passages if not passage.group]
    return _first([[one for one in others if not one.findings], others, outside], name, unit)


def _first(tiers: Sequence[Sequence[Passage]], name: Code, unit: Code) -> float | None:
    for passages in tiers:
        found = [number for passage in passages for number in _named(passage, name)]
        if found:
            return _one_of(found, unit)
    return None


def _named(passage: Passage, name: Code) -> Iterator[Number]:
    """Numbers of this concept; one that is a maximum, say, is another."""
    for number in passage.numbers:
        if same(number.name, name) and (number.derivation is None or same(number.derivation, MEAN)):
            yield number


def _one_of(found: Sequence[Number], unit: Code) -> float:
    values = [value for number in found if (value := converted(number.value, number.unit, unit)) is not None]
    if not values:
        raise InferenceFailed(f"a value has a unit that cannot be told in {unit.value} exactly")
    if not all(math.isclose(value, values[0], rel_tol=_ROUNDING, abs_tol=1e-9) for value in values):
        raise InferenceFailed("reports give several values of one quantity that differ")
    return values[0]
