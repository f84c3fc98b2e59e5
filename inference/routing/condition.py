"""What a rule asks of a series, and whether it holds: every condition with the value that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.routing import wording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.routing.attribute_test import AttributeTest
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is given must hold; of alternatives one. What is not known of a series does not hold.

    Attributes
    ----------
    modality, body_part, sop_class, sequence, kernel, phase, orientation, laterality, view, manufacturer
        Alternatives; empty holds always. Body parts are named as in `inference.routing.body_part`, and what
        lies inside one of them fits too.
    contrast_agent
        Whether one was given.
    source
        Who sent the study: an AE title, the name of a pull source, or `dimse`, `stow`, `upload`, `pull`.
    attributes
        What more than half of the images must pass.
    """

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = ()
    min_instances: int | None = None
    max_instances: int | None = None
    sequence: tuple[str, ...] = ()
    contrast_agent: bool | None = None
    phase: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()
    orientation: tuple[str, ...] = ()
    laterality: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    manufacturer: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    attributes: tuple[AttributeTest, ...] = ()


def judge(
    condition: Condition, series: SeriesFacts, senders: frozenset[str], table: BodyPartTable
) -> Iterator[tuple[bool, str]]:
    """Each condition that is given: whether it holds, and a sentence with what was measured."""
    if condition.modality:
        yield wording.modality(series, condition.modality)
    if condition.sop_class:
        fits = series.sop_classes <= set(condition.sop_class)
        yield fits, f"the SOP Class is {'' if fits else 'not '}one that the rule names"
    if condition.body_part:
        yield wording.body_part(series, condition.body_part, table)
    if condition.min_instances is not None and condition.min_instances > 1:
        yield wording.at_least(series.count, condition.min_instances)
    if condition.max_instances is not None:
        fits = series.count <= condition.max_instances
        yield fits, f"{wording.images(series.count)}, at most {condition.max_instances} are wanted"
    yield from _values(condition, series)
    if condition.source:
        fits = _sent_by(condition.source, senders)
        yield fits, f"the study was {'' if fits else 'not '}sent by {' or '.join(condition.source)}"
    for test in condition.attributes:
        count, of = test.count(series.attributes), len(series.attributes)
        yield 2 * count > of, f"{test.asked}: in {count} of {of} images"


def _values(condition: Condition, series: SeriesFacts) -> Iterator[tuple[bool, str]]:
    sequence, kernel = series.sequence, series.kernel
    told: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
        ("sequence", None if sequence is None else sequence.kind.value, condition.sequence),
        ("kernel", None if kernel is None else kernel.kind, condition.kernel),
        ("contrast phase", series.agent.phase, condition.phase),
        ("orientation", series.orientation, condition.orientation),
        ("side", series.side, condition.laterality),
        ("maker", series.maker, condition.manufacturer),
    )
    for name, found, wanted in told:
        if wanted:
            fits = found is not None and found in wanted
            yield fits, f"{name} {found or 'unknown'}, wanted: {' or '.join(wanted)}"
    if condition.view:
        fits = bool(series.views & set(condition.view))
        yield fits, f"view {wording.view(series)}, wanted: {' or '.join(condition.view)}"
    if condition.contrast_agent is not None:
        yield wording.agent(series.agent, condition.contrast_agent)


def _sent_by(wanted: tuple[str, ...], senders: frozenset[str]) -> bool:
    names = {name.casefold() for sender in senders for name in (sender, *sender.split(":", 1))}
    return any(one.casefold() in names for one in wanted)
