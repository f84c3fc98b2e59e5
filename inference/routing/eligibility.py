"""Whether a series is what a rule asks for and what a model's manifest takes, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason
from inference.mr_contrast import Contrast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inference.contract import InputRequirements
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts

#: Modalities that a reason may name (PS3.3 §C.7.3.1.1.1); others could be anything that a sender wrote.
_NAMED_MODALITIES = frozenset(
    {"CR", "CT", "DX", "ES", "IVUS", "KO", "MG", "MR", "NM", "OCT", "OP", "OT", "PR", "PT", "PX", "RF",
     "RTDOSE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC", "DOC", "IO", "OPT",
     "REG", "ECG"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """A rule: series for which all given conditions hold go to the models.

    Attributes
    ----------
    modality, body_part, sop_class
        Alternatives; empty holds always. Body parts are named as in `inference.routing.body_part`, and
        what lies inside one of them fits too.
    models
        Names of model packages.
    """

    name: str
    models: tuple[str, ...]
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = ()
    min_instances: int = 1


def check_route(route: Route, series: SeriesFacts, table: BodyPartTable) -> tuple[Reason, ...]:
    """Why a series fits a rule or not: one reason per condition, up to the first that fails."""
    rule = f"route.{route.name}"
    return _until_failure(
        Reason(series.series_instance_uid, rule, passed, text)
        for passed, text in _route_conditions(route, series, table)
    )


def check_input(
    needs: InputRequirements, series: SeriesFacts, table: BodyPartTable, model: str
) -> tuple[Reason, ...]:
    """Why a model may be tried on a series or not: one reason per requirement, up to the first that fails."""
    rule = f"model.{model}"
    return _until_failure(
        Reason(series.series_instance_uid, rule, passed, text)
        for passed, text in _input_conditions(needs, series, table)
    )


def passed(reasons: Sequence[Reason]) -> bool:
    """Whether none refused."""
    return all(reason.passed for reason in reasons)


def _until_failure(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    kept = []
    for reason in reasons:
        kept.append(reason)
        if not reason.passed:
            break
    return tuple(kept)


def _route_conditions(route: Route, series: SeriesFacts, table: BodyPartTable) -> Iterable[tuple[bool, str]]:
    if route.modality:
        yield _modality(series, route.modality)
    if route.sop_class:
        fits = series.sop_classes <= set(route.sop_class)
        yield fits, f"the SOP Class is {'' if fits else 'not '}one that the rule names"
    if route.body_part:
        yield _body_part(series, route.body_part, table)
    if route.min_instances > 1:
        yield _at_least(series.count, route.min_instances)


def _input_conditions(
    needs: InputRequirements, series: SeriesFacts, table: BodyPartTable
) -> Iterable[tuple[bool, str]]:
    yield (
        series.no_scan is None,
        f"the series is no scan: {series.no_scan}" if series.no_scan else "the series is a scan",
    )
    yield _modality(series, needs.modalities)
    fits = series.sop_classes <= set(needs.sop_classes)
    yield fits, f"the images' SOP Class is {'' if fits else 'not '}one that the model takes"
    yield not series.multi_frame, f"the images are {'multi' if series.multi_frame else 'single'}-frame"
    if needs.body_parts:
        yield _body_part(series, needs.body_parts, table)
    yield _at_least(series.count, needs.min_slices)
    yield series.count <= needs.max_slices, f"{series.count} images, at most {needs.max_slices} are taken"
    yield _spacing(series, needs.spacing_mm)
    if needs.contrast is not None:
        yield _contrast(series.contrast, needs.contrast)
    if needs.min_age_years is not None:
        yield _age(series.age_years, needs.min_age_years)


def _modality(series: SeriesFacts, wanted: Sequence[str]) -> tuple[bool, str]:
    named = series.modality if series.modality in _NAMED_MODALITIES else "unknown"
    return series.modality in wanted, f"modality {named}, wanted: {' or '.join(wanted)}"


def _body_part(series: SeriesFacts, wanted: Sequence[str], table: BodyPartTable) -> tuple[bool, str]:
    regions = [part.term if (part := table.named(name)) else name for name in wanted]
    asked = " or ".join(dict.fromkeys(regions))
    if series.body_part is None:
        return False, f"body part unknown, wanted: {asked}"
    found = series.body_part
    fits = any(table.lies_in(found.term, region) for region in regions)
    return fits, f"body part {found.term} (from {found.source}), wanted: {asked}"


def _at_least(count: int, least: int) -> tuple[bool, str]:
    return count >= least, f"{count} image{'' if count == 1 else 's'}, at least {least} are needed"


def _spacing(series: SeriesFacts, allowed: tuple[float, float]) -> tuple[bool, str]:
    low, high = allowed
    pixel, between = series.pixel_spacing_mm, series.slice_spacing_mm
    if pixel is None or between is None:
        return False, "the images have no geometry (position, orientation, spacing)"
    fits = low <= min(pixel, between) and max(pixel, between) <= high
    return (
        fits,
        f"spacing {pixel:.2f} mm in the image and {between:.2f} mm between, allowed: {low:g} to {high:g} mm",
    )


def _contrast(found: Contrast, wanted: str) -> tuple[bool, str]:
    if found is Contrast.UNKNOWN:
        return True, f"weighting not told by the images' physics, {wanted} is wanted: the pixels decide"
    return found.value == wanted, f"weighting {found.value} by the images' physics, wanted: {wanted}"


def _age(found: float | None, least: int) -> tuple[bool, str]:
    if found is None:
        return True, f"age unknown; the model is made for {least} years and older"
    fits = found >= least
    return fits, f"the patient is {'' if fits else 'not '}{least} years or older"
