"""What subscribers of work items are told.

References
----------
PS3.4 §CC.2.4 and Table CC.2.4-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from dicom_node.domain import workitem as ups

if TYPE_CHECKING:
    from dicom_node.domain.workitem import Model, Workitem, WorkitemState


class EventType(IntEnum):
    """Event Type ID."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS_CHANGE = 4
    ASSIGNED = 5


@dataclass(frozen=True, slots=True)
class WorkitemEvent:
    """One event of one work item.

    Attributes
    ----------
    uid
        The work item's, or the worklist's for a status change of the node.
    information
        The event's attributes; may hold names of persons.
    """

    type: EventType
    uid: str
    information: Model


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event on its way to one subscriber; `id` grows with each."""

    id: int
    event: WorkitemEvent


@dataclass(frozen=True, slots=True)
class Change:
    """What a request makes of a work item.

    Attributes
    ----------
    events
        What its subscribers are told, in this order.
    warnings
        For Warning headers: PS3.18 §11.4.3.2, §11.6.3.2, §11.7.3.2 and §11.8.3.2.
    """

    item: Workitem
    events: tuple[WorkitemEvent, ...] = ()
    warnings: tuple[str, ...] = ()


def state_report(item: Workitem, state: WorkitemState | None = None) -> WorkitemEvent:
    """UPS State Report; `state` where it is one that the item only passes through."""
    told = state or item.state
    information = {
        ups.READINESS: item.attributes.get(ups.READINESS, {"vr": "CS"}),
        ups.STATE: ups.attribute("CS", told.value),
    }
    if told is ups.WorkitemState.CANCELED:
        information |= _some(item.progress, ups.CANCELLATION_REASON, ups.DISCONTINUATION_CODES)
    return WorkitemEvent(EventType.STATE_REPORT, item.uid, information)


def cancel_requested(item: Workitem, requesting_ae: str, request: Model) -> WorkitemEvent:
    """UPS Cancel Requested."""
    information = {"00741236": ups.attribute("AE", requesting_ae)} | _some(
        request,
        ups.CANCELLATION_REASON,
        ups.DISCONTINUATION_CODES,
        ups.CONTACT_URI,
        ups.CONTACT_NAME,
    )
    return WorkitemEvent(EventType.CANCEL_REQUESTED, item.uid, information)


def progress_report(item: Workitem) -> WorkitemEvent:
    """UPS Progress Report."""
    kept = _some(item.progress, "00741004", "00741006", "00741007", ups.COMMUNICATIONS)
    return WorkitemEvent(
        EventType.PROGRESS_REPORT, item.uid, {ups.PROGRESS_INFORMATION: ups.attribute("SQ", kept)}
    )


def assigned(item: Workitem) -> WorkitemEvent | None:
    """UPS Assigned, where a station or a human performer is named."""
    information = _some(item.attributes, ups.STATION_NAME_CODES)
    for performer in ups.items(item.attributes, ups.HUMAN_PERFORMERS):
        information |= _some(performer, "00404009", "00404036")
    return WorkitemEvent(EventType.ASSIGNED, item.uid, information) if information else None


def node_status(status: str) -> WorkitemEvent:
    """SCP Status Change; the node keeps subscriptions and work items over a restart (WARM START)."""
    information = {
        "00741242": ups.attribute("CS", status),
        "00741244": ups.attribute("CS", "WARM START"),
        "00741246": ups.attribute("CS", "WARM START"),
    }
    return WorkitemEvent(EventType.SCP_STATUS_CHANGE, ups.WORKLIST_UID, information)


def _some(model: Model, *tags: str) -> Model:
    return {tag: model[tag] for tag in tags if ups.has_value(model, tag)}
