"""The router with the rules of the settings, each checked before the node starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dicom_node.domain.errors import ConfigurationError
from inference.mr_sequence import SequenceType
from inference.projection import VIEWS
from inference.routing.attribute_test import read_test
from inference.routing.body_part import BodyPartTable
from inference.routing.condition import Condition
from inference.routing.dependencies import find_cycle
from inference.routing.router import Router
from inference.routing.rule import Route
from inference.routing.scanner import MAKERS

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from dicom_node.settings_routing import RouteSettings, RouteWhen
    from inference.registry import ModelRegistry

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_SEQUENCES = tuple(kind.value for kind in SequenceType)


def build_routes(settings: Settings, registry: ModelRegistry) -> tuple[Route, ...]:
    """The rules of the settings.

    Raises
    ------
    ConfigurationError
        If a rule names what is not there: a model, a body part, a sequence, an attribute. The text names the
        rule and says what to write.
    """
    table = BodyPartTable()
    return tuple(_route(route, registry, table) for route in settings.routes)


def build_router(settings: Settings, registry: ModelRegistry, *, sample_key: bytes | None = None) -> Router:
    """The router with the configured rules.

    Raises
    ------
    ConfigurationError
        See `build_routes`.
    """
    return Router(registry, build_routes(settings, registry), sample_key=sample_key)


def _route(route: RouteSettings, registry: ModelRegistry, table: BodyPartTable) -> Route:
    for model in route.models:
        if model not in registry.models:
            why = registry.invalid.get(model, f"known: {', '.join(sorted(registry.models))}")
            raise ConfigurationError(f"route {route.name}: no model {model} ({why})")
        cycle = find_cycle(registry, model)
        if cycle is not None:
            shown = " -> ".join(cycle)
            raise ConfigurationError(f"route {route.name}: models need each other in a circle: {shown}")
    return Route(
        name=route.name,
        models=route.models,
        when=_condition(route.name, "when", route.when, table),
        unless=tuple(_condition(route.name, "unless", one, table) for one in route.unless),
        every_series=route.series == "all",
        stop=route.stop,
        sample=route.sample,
        stat=route.priority == "stat",
    )


def _condition(name: str, where: str, when: RouteWhen, table: BodyPartTable) -> Condition:
    place = f"route {name}, {where}"
    for part in when.body_part:
        if table.named(part) is None:
            raise ConfigurationError(
                f"{place}: no body part {part}; write a term of PS3.16 Annex L (HEAD) or a SNOMED code"
            )
    for uid in when.sop_class:
        if _UID.fullmatch(uid) is None:
            raise ConfigurationError(f"{place}: {uid} is no SOP Class UID")
    if when.min_instances and when.max_instances and when.min_instances > when.max_instances:
        raise ConfigurationError(f"{place}: min_instances is larger than max_instances")
    if where == "unless" and not when.model_fields_set:
        raise ConfigurationError(f"{place}: give a condition, or leave it out")
    try:
        tests = tuple(read_test(attribute, wanted) for attribute, wanted in when.attributes.items())
    except ValueError as exc:
        raise ConfigurationError(f"{place}, attributes: {exc}") from exc
    return Condition(
        modality=tuple(one.upper() for one in when.modality),
        body_part=when.body_part,
        sop_class=when.sop_class,
        min_instances=when.min_instances,
        max_instances=when.max_instances,
        sequence=_known(place, "sequence", when.sequence, _SEQUENCES),
        contrast_agent=when.contrast_agent,
        phase=when.phase,
        kernel=when.kernel,
        orientation=when.orientation,
        laterality=when.laterality,
        view=_known(place, "view", when.view, VIEWS),
        manufacturer=_known(place, "manufacturer", when.manufacturer, MAKERS),
        source=when.source,
        attributes=tests,
    )


def _known(place: str, what: str, given: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = tuple(one.upper() for one in given)
    for one in wanted:
        if one not in known:
            raise ConfigurationError(f"{place}: no {what} {one}; known: {', '.join(known)}")
    return wanted
