"""What a STOW-RS service says of each instance.

References
----------
PS3.18 §10.5.3 and Annex I.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import InvalidInstance
from dicomweb.media_types import DICOM_XML
from dicomweb.native_model_reader import from_xml

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

_REFERENCED, _FAILED = "00081199", "00081198"
_SOP_INSTANCE, _FAILURE_REASON = "00081155", "00081197"
_ANSWERED = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.CONFLICT})


class Verdict(Enum):
    """What to do about an instance that was not stored."""

    #: Out of resources, a failure in processing, or no word of it: it may pass next time.
    AGAIN = auto()
    #: The service cannot take this instance, whenever it comes.
    REFUSED = auto()


def verdicts(response: httpx.Response, uids: Iterable[str]) -> dict[str, tuple[Verdict, str]] | None:
    """Verdict and reason of each instance that was not stored; `None` where the answer tells nothing."""
    if response.status_code not in _ANSWERED:
        return None
    model = _model(response)
    if model is None:
        return None
    if not model and response.status_code == HTTPStatus.OK:
        return {}  # 200 says that all were stored
    failed = {_first(item, _SOP_INSTANCE): _first(item, _FAILURE_REASON) for item in _items(model, _FAILED)}
    stored = {_first(item, _SOP_INSTANCE) for item in _items(model, _REFERENCED)}
    outcome = {}
    for uid in uids:
        if uid in failed:
            outcome[uid] = _verdict(failed[uid])
        elif uid not in stored:
            outcome[uid] = Verdict.AGAIN, "the response does not name the instance"
    return outcome


def _verdict(reason: Any) -> tuple[Verdict, str]:
    if isinstance(reason, str) and reason.isascii() and reason.isdigit():
        reason = int(reason)
    if not isinstance(reason, int):
        return Verdict.AGAIN, "failure reason unknown"
    passing = reason >> 8 == 0xA7 or reason in {0x0110, 0x0213}
    return Verdict.AGAIN if passing else Verdict.REFUSED, f"failure reason {reason:04X}"


def _model(response: httpx.Response) -> dict[str, Any] | None:
    """The Store Instances Response Module, empty without a body, or `None` where the body is none."""
    if not response.content.strip():
        return {}
    if response.headers.get("content-type", "").startswith((DICOM_XML, "text/xml", "application/xml")):
        try:
            return from_xml(response.content)
        except InvalidInstance:
            return None
    try:
        model = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    if isinstance(model, list):
        model = model[0] if model else {}
    return model if isinstance(model, dict) else None


def _items(model: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    attribute = model.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return [item for item in values or [] if isinstance(item, dict)]


def _first(item: dict[str, Any], tag: str) -> Any:
    attribute = item.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and values else None
