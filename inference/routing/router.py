"""Decides which model works on which series, and records why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dicom_node.domain.errors import NotFound
from dicom_node.domain.run import CHOICE, Assignment, Reason, RoutingDecision
from inference.routing.body_part import BodyPartTable
from inference.routing.choice import best_first, explain_choice
from inference.routing.dependencies import Dependencies
from inference.routing.eligibility import check_input, passed
from inference.routing.header import UNREADABLE, read_entry
from inference.routing.rule import Route, check_route, is_sampled
from inference.routing.series import describe, group_series
from inference.routing.urgency import is_stat
from inference.routing.wording import NAMED_MODALITIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from dicom_node.ports.models import StudyInput
    from inference.registry import ModelRegistry
    from inference.routing.series import SeriesFacts

__all__ = ["Route", "Router"]


class Router:
    """`ports.ModelRouter` by rules: each rule sends the best of its matching series to its models.

    Parameters
    ----------
    sample_key
        Decides which studies a rule with a sample takes; `None` takes all and says so (a dry run).
    """

    def __init__(
        self, registry: ModelRegistry, routes: Sequence[Route], *, sample_key: bytes | None = None
    ) -> None:
        self._registry = registry
        self._routes = tuple(routes)
        self._sample_key = sample_key
        self._table = BodyPartTable()

    def route(self, study: StudyInput) -> RoutingDecision:
        """Apply the rules and record every reason; never raises for odd input."""
        all_series = group_series(study.instances, self._table)
        reasons = [_facts(series) for series in all_series]
        dependencies = Dependencies(self._registry, self._table, all_series)
        assignments: dict[tuple[str, str], Assignment] = {}
        left = list(all_series)
        for route in self._routes:
            if not self._takes(route, study.study_instance_uid, reasons):
                continue
            matching = []
            for series in left:
                told = check_route(route, series, self._table, senders=study.senders)
                reasons += told
                if passed(told):
                    matching.append(series)
            for name in route.models:
                for made in self._assign(route, name, matching, dependencies, reasons):
                    assignments.setdefault((made.model, made.series_instance_uid), made)
            if route.stop:
                left = [series for series in left if series not in matching]
        return RoutingDecision(
            assignments=tuple(assignments.values()),
            reasons=tuple(reasons),
            modalities=tuple(sorted({s.modality for s in all_series if s.modality})),
            body_part=_body_part(all_series),
        )

    def is_stat(self, headers: Sequence[BinaryIO], senders: frozenset[str]) -> bool:
        """See `ports.ModelRouter.is_stat`."""
        entries = []
        for number, header in enumerate(headers):
            try:
                entries.append(read_entry(header, str(number)))
            except UNREADABLE:
                # De-identification will say what is wrong with it.
                continue
        return is_stat(entries, senders, self._routes, self._table)

    def would_be_stat(self, study: StudyInput) -> bool:
        """As `is_stat`, of a study whose headers are known."""
        return is_stat(study.instances, study.senders, self._routes, self._table)

    def _takes(self, route: Route, study_instance_uid: str, reasons: list[Reason]) -> bool:
        if route.sample >= 1:
            return True
        rule, share = f"route.{route.name}", f"a sample of {route.sample:.4g} of all studies"
        if self._sample_key is None:
            reasons.append(Reason("study", rule, True, f"the rule takes {share}; a dry run takes every one"))
            return True
        taken = is_sampled(route, study_instance_uid, self._sample_key)
        text = f"the study is {'' if taken else 'not '}in the rule's sample ({share})"
        reasons.append(Reason("study", rule, taken, text))
        return taken

    def _assign(
        self,
        route: Route,
        model: str,
        matching: Sequence[SeriesFacts],
        dependencies: Dependencies,
        reasons: list[Reason],
    ) -> list[Assignment]:
        try:
            manifest = self._registry.get(model)
        except NotFound as exc:
            reasons.append(Reason(model, f"route.{route.name}", passed=False, text=str(exc)))
            return []
        eligible = []
        for series in matching:
            told = check_input(manifest.input, series, self._table, model)
            reasons += told
            if passed(told):
                eligible.append(series)
        ranked = best_first(manifest.input, eligible)
        taken = ranked if route.every_series else ranked[:1]
        reasons += explain_choice(manifest.input, ranked, taken, f"{CHOICE}{route.name}.{model}")
        made: list[Assignment] = []
        for series in taken:
            made += dependencies.assign(manifest, series, route.name, reasons)
        return made


def _facts(series: SeriesFacts) -> Reason:
    named = series.modality if series.modality in NAMED_MODALITIES else "modality unknown"
    return Reason(series.series_instance_uid, "series", True, f"{named}, {describe(series)}")


def _body_part(all_series: Sequence[SeriesFacts]) -> str | None:
    """The body part that most images show."""
    counts: Counter[str] = Counter()
    for series in all_series:
        if series.body_part is not None:
            counts[series.body_part.term] += series.count
    return counts.most_common(1)[0][0] if counts else None
