"""Models that are fed with the results of others: which series the others work on, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.errors import NotFound
from dicom_node.domain.run import Assignment, Reason
from inference.routing.choice import best_first
from inference.routing.eligibility import check_input, passed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.contract.package import ModelManifest
    from inference.registry import ModelRegistry
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts


def find_cycle(registry: ModelRegistry, model: str, above: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Names of models each of which needs the next, back to the first; `None` without such a circle."""
    if model in above:
        return (*above[above.index(model) :], model)
    manifest = registry.models.get(model)
    for needed in manifest.requires if manifest is not None else ():
        cycle = find_cycle(registry, needed, (*above, model))
        if cycle is not None:
            return cycle
    return None


class Dependencies:
    """Assigns what a model needs before the model itself.

    Parameters
    ----------
    all_series
        Of the study: a needed model may work on a series that the rule is not for.
    """

    def __init__(
        self, registry: ModelRegistry, table: BodyPartTable, all_series: Sequence[SeriesFacts]
    ) -> None:
        self._registry = registry
        self._table = table
        self._all = all_series

    def assign(
        self, manifest: ModelManifest, series: SeriesFacts, route: str, reasons: list[Reason]
    ) -> tuple[Assignment, ...]:
        """The model on the series, behind all that it needs; empty where something needed fits no series."""
        cycle = find_cycle(self._registry, manifest.name)
        if cycle is not None:
            text = f"models need each other in a circle: {' -> '.join(cycle)}; change `requires` of one"
            reasons.append(Reason(manifest.name, f"route.{route}", passed=False, text=text))
            return ()
        return self._assign(manifest, series, route, reasons)

    def _assign(
        self, manifest: ModelManifest, series: SeriesFacts, route: str, reasons: list[Reason]
    ) -> tuple[Assignment, ...]:
        before: list[Assignment] = []
        for name in manifest.requires:
            found = self._needed(name, series)
            if isinstance(found, str):
                text = f"{manifest.name} needs a result of {name}: {found}"
                reasons.append(Reason(series.series_instance_uid, f"needs.{manifest.name}", False, text))
                return ()
            needed, on = found
            made = self._assign(needed, on, route, reasons)
            if not made:
                return ()
            same = "the same series" if on is series else "another series of the study"
            text = f"{manifest.name} is fed with the result of {name} on {same}"
            reasons.append(Reason(series.series_instance_uid, f"needs.{manifest.name}", True, text))
            before += made
        own = Assignment(
            manifest.name, manifest.version, series.series_instance_uid, route, needs=manifest.requires
        )
        return (*before, own)

    def _needed(self, name: str, series: SeriesFacts) -> tuple[ModelManifest, SeriesFacts] | str:
        try:
            manifest = self._registry.get(name)
        except NotFound as exc:
            return str(exc)
        told = check_input(manifest.input, series, self._table, name)
        if passed(told):
            return manifest, series
        eligible = [s for s in self._all if passed(check_input(manifest.input, s, self._table, name))]
        if eligible:
            return manifest, best_first(manifest.input, eligible)[0]
        return f"no series of the study fits it ({told[-1].text})"
