"""Work items and events as clients see them.

References
----------
PS3.18 §11.1.3 (media types), §11.5.3.3, §11.9.2 (which attributes a search returns), §8.10.5 and §11.13
(event reports); PS3.7 Table 10.3-1 (N-EVENT-REPORT-RQ message fields).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR
from starlette.responses import Response

from dicom_node.domain.workitem import TRANSACTION_UID, UPS_PUSH_SOP_CLASS, attribute
from dicom_node.domain.workitem_rules import RULES
from dicomweb.dicom_json import dumps
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MULTIPART_RELATED, Offer
from dicomweb.multipart import Payload, new_boundary, write_multipart
from dicomweb.native_model import to_xml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dicom_node.domain.workitem import Model
    from dicom_node.domain.workitem_events import QueuedEvent

OFFERS: Final = (
    Offer(DICOM_JSON),
    Offer(JSON),
    Offer(DICOM_XML, multipart=True),
    Offer(DICOM_XML),
)
#: Where the node stores an address of its own: below the root under which it is asked for it.
OWN_ROOT: Final = "studies/"
_RETRIEVE_URL: Final = "00081190"
_ALWAYS: Final = {rule.tag for rule in RULES if rule.returned in {"1", "2"}}
_WHERE_SET: Final = {rule.tag for rule in RULES if rule.returned in {"1C", "2C"}}
_NOT_COMMAND_ONLY: Final = 0


def whole(model: Model, root: str) -> Model:
    """All of a work item; addresses at this node are made absolute, and who owns it is not told."""
    return {tag: _absolute(tag, value, f"{root}/") for tag, value in model.items() if tag != TRANSACTION_UID}


def row(model: Model, include: frozenset[str] | None, root: str) -> Model:
    """A work item as the result of a search."""
    everything = whole(model, root)
    if include is None:
        return everything
    wanted = _ALWAYS | _WHERE_SET | include
    chosen = {tag: value for tag, value in everything.items() if tag in wanted}
    for tag in _ALWAYS - chosen.keys():
        chosen[tag] = {"vr": dictionary_VR(int(tag, 16))}
    return dict(sorted(chosen.items()))


def respond(
    models: Sequence[Model], offer: Offer, status: int, headers: Iterable[tuple[str, str]]
) -> Response:
    """A response with these data sets."""
    if offer.multipart:
        boundary = new_boundary()
        body = b"".join(write_multipart((Payload(to_xml(model), DICOM_XML) for model in models), boundary))
        content_type = f'{MULTIPART_RELATED}; type="{DICOM_XML}"; boundary={boundary}'
    elif offer.media_type == DICOM_XML:
        body, content_type = to_xml(models[0]), DICOM_XML
    else:
        body, content_type = dumps(list(models)), offer.media_type
    response = Response(body, status, headers={"Content-Type": content_type, "Cache-Control": "no-store"})
    for name, value in headers:
        response.headers.append(name, value)
    return response


def event_report(queued: QueuedEvent) -> str:
    """An event as the text of a frame."""
    event = queued.event
    command: dict[str, Any] = {
        "00000002": attribute("UI", UPS_PUSH_SOP_CLASS),
        "00000100": attribute("US", 0x0100),
        "00000110": attribute("US", queued.id % 0x10000),
        "00000800": attribute("US", _NOT_COMMAND_ONLY),
        "00001000": attribute("UI", event.uid),
        "00001002": attribute("US", int(event.type)),
    }
    return dumps(command | event.information).decode()


def _absolute(tag: str, value: Any, root: str) -> Any:
    if not isinstance(value, dict):
        return value
    values = value.get("Value")
    if not isinstance(values, list):
        return value
    if tag == _RETRIEVE_URL:
        own = [f"{root}{v}" if isinstance(v, str) and v.startswith(OWN_ROOT) else v for v in values]
        return {**value, "Value": own}
    if value.get("vr") != "SQ":
        return value
    items = [
        {inner: _absolute(inner, one, root) for inner, one in item.items()}
        if isinstance(item, dict)
        else item
        for item in values
    ]
    return {**value, "Value": items}
