"""What both reports share: observer, constructor arguments, and repairs of what highdicom writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from highdicom import sr

from inference.encode.coding import dcm
from inference.encode.context import CHARACTER_SET

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from inference.encode.context import Role, RunContext


def device_observer(context: RunContext) -> sr.ObserverContext:
    """The model as device observer (PS3.16 §TID 1004), equal to Contributing Equipment."""
    model = context.model
    return sr.ObserverContext(
        observer_type=dcm("121007", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=model.device_uid, manufacturer_name=model.manufacturer, model_name=model.name
        ),
    )


def sr_arguments(context: RunContext, role: Role, what: str) -> dict[str, Any]:
    """Constructor arguments of highdicom's SR classes that do not depend on the content."""
    return {
        "series_instance_uid": context.series_uid(role),
        "series_number": context.series_number(role),
        "sop_instance_uid": context.instance_uid(role),
        "instance_number": 1,
        "series_description": context.series_description(what),
        "content_date": context.made_at.date(),
        "content_time": context.made_at.time().replace(microsecond=0),
        "is_complete": True,
        "is_final": False,
        "specific_character_set": CHARACTER_SET,
        **context.equipment(),
    }


def finish_report(ds: Dataset, context: RunContext) -> None:
    """Separate the content of all containers, and write what every result carries.

    highdicom writes Continuity of Content CONTINUOUS, which viewers show as run-on text.
    """
    _separate(ds)
    context.complete(ds)


def _separate(item: Dataset) -> None:
    if item.get("ValueType") == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    for child in item.get("ContentSequence", ()):
        _separate(child)
