"""Decides which model works on which series, and records why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dicom_node.domain.errors import NotFound
from dicom_node.domain.run import Assignment, Reason, RoutingDecision
from inference.mr_contrast import Contrast
from inference.routing.body_part import BodyPartTable
from inference.routing.eligibility import Route, check_input, check_route, passed
from inference.routing.series import group_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.ports.models import StudyInput
    from inference.contract import ModelManifest
    from inference.registry import ModelRegistry
    from inference.routing.series import SeriesFacts

__all__ = ["Route", "Router"]


class Router:
    """`ports.ModelRouter` by rules: each rule sends the best of its matching series to its models."""

    def __init__(self, registry: ModelRegistry, routes: Sequence[Route]) -> None:
        self._registry = registry
        self._routes = tuple(routes)
        self._table = BodyPartTable()

    def route(self, study: StudyInput) -> RoutingDecision:
        """Apply the rules and record every reason; never raises for odd input."""
        all_series = group_series(study.instances, self._table)
        reasons: list[Reason] = []
        assignments: dict[tuple[str, str], Assignment] = {}
        for route in self._routes:
            matching = []
            for series in all_series:
                told = check_route(route, series, self._table)
                reasons += told
                if passed(told):
                    matching.append(series)
            for name in route.models:
                assignment = self._assign(route, name, matching, reasons)
                if assignment is not None:
                    assignments.setdefault((name, assignment.series_instance_uid), assignment)
        return RoutingDecision(
            assignments=tuple(assignments.values()),
            reasons=tuple(reasons),
            modalities=tuple(sorted({s.modality for s in all_series if s.modality})),
            body_part=_body_part(all_series),
        )

    def _assign(
        self, route: Route, model: str, matching: Sequence[SeriesFacts], reasons: list[Reason]
    ) -> Assignment | None:
        try:
            manifest = self._registry.get(model)
        except NotFound as exc:
            reasons.append(Reason(model, f"route.{route.name}", passed=False, text=str(exc)))
            return None
        eligible = []
        for series in matching:
            told = check_input(manifest.input, series, self._table, model)
            reasons += told
            if passed(told):
                eligible.append(series)
        if not eligible:
            return None
        best = min(eligible, key=lambda series: _rank(series, manifest))
        reasons += [_choice(series, best, model, route) for series in eligible]
        return Assignment(model, manifest.version, best.series_instance_uid, route.name)


def _rank(series: SeriesFacts, manifest: ModelManifest) -> tuple[float | str, ...]:
    """Smaller is better: what the model was made for first, then resolution, then a stable order."""
    known_contrast = series.contrast is not Contrast.UNKNOWN or manifest.input.contrast is None
    return (
        0 if known_contrast else 1,
        1 if series.contrast_agent else 0,
        0 if series.original else 1,
        0 if series.three_dimensional else 1,
        round(max(series.slice_spacing_mm or 99.0, series.pixel_spacing_mm or 99.0), 1),
        -series.count,
        series.series_instance_uid,
    )


def _choice(series: SeriesFacts, best: SeriesFacts, model: str, route: Route) -> Reason:
    chosen = series is best
    text = (
        f"{'chosen' if chosen else 'another series fits better'}: {series.count} {series.orientation} images,"
        f" {series.slice_spacing_mm or 0:.2f} mm apart, weighting {series.contrast.value}"
    )
    return Reason(series.series_instance_uid, f"choice.{route.name}.{model}", chosen, text)


def _body_part(all_series: Sequence[SeriesFacts]) -> str | None:
    """The body part that most images show."""
    counts: Counter[str] = Counter()
    for series in all_series:
        if series.body_part is not None:
            counts[series.body_part.term] += series.count
    return counts.most_common(1)[0][0] if counts else None
