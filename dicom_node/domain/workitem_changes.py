"""What each request does to a work item. Pure: nothing here reads a clock or a store.

References
----------
PS3.4 Table CC.1.1-2 (state transitions), §CC.2.1.3, §CC.2.2.3, §CC.2.5.3 and §CC.2.6.3 (provider behavior).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dicom_node.domain import workitem as ups
from dicom_node.domain import workitem_events as events
from dicom_node.domain.workitem import Refusal, Workitem, WorkitemRefused, WorkitemState
from dicom_node.domain.workitem_checks import check_creation, check_final, check_update
from dicom_node.domain.workitem_events import Change

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.workitem import Model
    from dicom_node.domain.workitem_events import WorkitemEvent

CREATED_WITH_CHANGES: Final = "The Workitem was created with modifications."
OPTIONAL_REJECTED: Final = "Requested optional Attributes are not supported."
_ALREADY: Final = "The UPS is already in the requested state of "
#: PS3.16 CID 9300 Procedure Discontinuation Reason.
UNSPECIFIED_REASON: Final = ups.coded("110513", "DCM", "Discontinued for unspecified reason")


def create(model: Model, uid: str, now: datetime, default_label: str) -> Change:
    """A new work item in the state SCHEDULED.

    Raises
    ------
    WorkitemRefused
    """
    check_creation(model)
    if ups.first(model, ups.STATE) != WorkitemState.SCHEDULED:
        raise WorkitemRefused(
            "ProcedureStepState (0074,1000) must be SCHEDULED when a work item is created",
            Refusal.NOT_SCHEDULED,
        )
    if ups.first(model, ups.SOP_CLASS_UID) not in {None, ups.UPS_PUSH_SOP_CLASS}:
        raise WorkitemRefused("SOPClassUID (0008,0016) must be that of UPS Push, or be left out")
    attributes = dict(model)
    warnings = []
    if not ups.has_value(attributes, ups.WORKLIST_LABEL):
        attributes[ups.WORKLIST_LABEL] = ups.attribute("LO", default_label)
        warnings.append(CREATED_WITH_CHANGES)
    attributes.pop(ups.TRANSACTION_UID, None)
    attributes[ups.SOP_CLASS_UID] = ups.attribute("UI", ups.UPS_PUSH_SOP_CLASS)
    attributes[ups.SOP_INSTANCE_UID] = ups.attribute("UI", uid)
    attributes[ups.MODIFICATION_DATETIME] = ups.attribute("DT", ups.dicom_datetime(now))
    item = Workitem(uid, WorkitemState.SCHEDULED, dict(sorted(attributes.items())), now, now)
    told = [events.state_report(item)]
    assignment = events.assigned(item)
    if assignment is not None:
        told.append(assignment)
    return Change(item, tuple(told), tuple(warnings))


def update(item: Workitem, changes: Model, transaction_uid: str | None, now: datetime) -> Change:
    """Set attributes.

    Raises
    ------
    WorkitemRefused
    """
    if item.state.final:
        raise WorkitemRefused(
            f"the work item is {item.state.value} and may no longer be updated", Refusal.NO_LONGER_UPDATABLE
        )
    if item.state is WorkitemState.SCHEDULED and transaction_uid is not None:
        raise WorkitemRefused(
            "the work item is not claimed: leave the Transaction UID out, or claim it first",
            Refusal.NOT_IN_PROGRESS,
        )
    if item.state is WorkitemState.IN_PROGRESS:
        _demand_transaction_uid(item, transaction_uid)
    made = check_update({tag: value for tag, value in changes.items() if tag != ups.TRANSACTION_UID})
    rejected = set(changes) - set(made) - {ups.TRANSACTION_UID, ups.MODIFICATION_DATETIME}
    warnings = (OPTIONAL_REJECTED,) if rejected else ()
    differing = {tag: value for tag, value in made.items() if item.attributes.get(tag) != value}
    if not differing:
        return Change(item, (), warnings)
    changed = _modified(item, differing, now)
    return Change(changed, _told_of(item, changed, differing), warnings)


def change_state(
    item: Workitem,
    target: WorkitemState,
    transaction_uid: str | None,
    now: datetime,
    performer: str | None = None,
) -> Change:
    """Claim, complete or cancel.

    Parameters
    ----------
    performer
        AE title of who claims, where it is known.

    Raises
    ------
    WorkitemRefused
    """
    if target is WorkitemState.SCHEDULED:
        raise WorkitemRefused(
            "a state of SCHEDULED comes from creating a work item only", Refusal.ONLY_CREATED_SCHEDULED
        )
    if transaction_uid is None:
        _demand_transaction_uid(item, None)
    if item.state is WorkitemState.SCHEDULED:
        return _claim(item, target, transaction_uid, now, performer)
    _demand_transaction_uid(item, transaction_uid)
    if item.state.final:
        if item.state is target:
            return Change(item, (), (f"{_ALREADY}{target.value}.",))
        raise WorkitemRefused(f"the work item is {item.state.value} already", Refusal.NO_LONGER_UPDATABLE)
    if target is WorkitemState.IN_PROGRESS:
        raise WorkitemRefused("the work item is IN PROGRESS already", Refusal.ALREADY_IN_PROGRESS)
    if target is WorkitemState.CANCELED:
        item = _with_cancellation(item, {}, now)
    check_final(item.attributes, target)
    return _ended(item, target, now)


def request_cancellation(
    item: Workitem, request: Model, requesting_ae: str, now: datetime, *, heard: bool
) -> Change:
    """Cancel what nobody has claimed; ask the performer otherwise.

    Parameters
    ----------
    heard
        Whether somebody is subscribed to the work item, so that its performer may hear of the request.

    Raises
    ------
    WorkitemRefused
    """
    asked = events.cancel_requested(item, requesting_ae, request)
    if item.state is WorkitemState.COMPLETED:
        raise WorkitemRefused("the work item is COMPLETED already", Refusal.ALREADY_COMPLETED)
    if item.state is WorkitemState.CANCELED:
        return Change(item, (), (f"{_ALREADY}{WorkitemState.CANCELED.value}.",))
    if item.state is WorkitemState.IN_PROGRESS:
        if item.performer == ups.THIS_NODE:
            raise WorkitemRefused(
                "the analysis has begun and goes on to its end; follow the work item",
                Refusal.PERFORMER_GOES_ON,
            )
        if not heard:
            raise WorkitemRefused(
                "nobody is subscribed to the work item, so its performer cannot hear of the request",
                Refusal.PERFORMER_NOT_REACHED,
            )
        return Change(item, (asked,))
    canceled = _with_cancellation(item, request, now)
    # PS3.4 §CC.2.2.3: by way of IN PROGRESS, as the table of states has it.
    passing = events.state_report(item, WorkitemState.IN_PROGRESS)
    change = _ended(canceled, WorkitemState.CANCELED, now)
    return replace(change, events=(asked, passing, *change.events))


def _claim(
    item: Workitem,
    target: WorkitemState,
    transaction_uid: str | None,
    now: datetime,
    performer: str | None,
) -> Change:
    if target is not WorkitemState.IN_PROGRESS:
        raise WorkitemRefused(
            "the work item is SCHEDULED; claim it first, by the state IN PROGRESS", Refusal.NOT_IN_PROGRESS
        )
    claimed = replace(
        _modified(item, {ups.STATE: ups.attribute("CS", target.value)}, now),
        state=target,
        transaction_uid=transaction_uid,
        performer=performer,
    )
    return Change(claimed, (events.state_report(claimed),))


def _demand_transaction_uid(item: Workitem, transaction_uid: str | None) -> None:
    if transaction_uid is None:
        raise WorkitemRefused(
            "give the Transaction UID (0008,1195) of who claims or claimed the work item",
            Refusal.TRANSACTION_UID,
            missing=True,
        )
    if transaction_uid != item.transaction_uid:
        raise WorkitemRefused(
            "the Transaction UID (0008,1195) is not that of who claimed the work item",
            Refusal.TRANSACTION_UID,
        )


def _with_cancellation(item: Workitem, request: Model, now: datetime) -> Workitem:
    """The item with what a canceled one must say of itself."""
    progress = dict(item.progress)
    progress.setdefault(ups.CANCELLATION_DATETIME, ups.attribute("DT", ups.dicom_datetime(now)))
    for tag in (ups.CANCELLATION_REASON, ups.DISCONTINUATION_CODES):
        if ups.has_value(request, tag):
            progress[tag] = request[tag]
    contact = {
        tag: request[tag] for tag in (ups.CONTACT_URI, ups.CONTACT_NAME) if ups.has_value(request, tag)
    }
    if ups.CONTACT_URI in contact:
        progress[ups.COMMUNICATIONS] = ups.attribute("SQ", contact)
    if item.state is WorkitemState.SCHEDULED and not ups.has_value(progress, ups.DISCONTINUATION_CODES):
        progress[ups.DISCONTINUATION_CODES] = ups.attribute("SQ", UNSPECIFIED_REASON)
    progress = dict(sorted(progress.items()))
    return replace(
        item, attributes=item.attributes | {ups.PROGRESS_INFORMATION: ups.attribute("SQ", progress)}
    )


def _ended(item: Workitem, target: WorkitemState, now: datetime) -> Change:
    ended = replace(_modified(item, {ups.STATE: ups.attribute("CS", target.value)}, now), state=target)
    return Change(ended, (events.state_report(ended),))


def _modified(item: Workitem, made: Model, now: datetime) -> Workitem:
    stamp = {ups.MODIFICATION_DATETIME: ups.attribute("DT", ups.dicom_datetime(now))}
    return replace(item, attributes=dict(sorted((item.attributes | made | stamp).items())), modified_at=now)


def _told_of(before: Workitem, after: Workitem, differing: Model) -> tuple[WorkitemEvent, ...]:
    told = []
    if ups.READINESS in differing:
        told.append(events.state_report(after))
    if ups.PROGRESS_INFORMATION in differing:
        old, new = events.progress_report(before), events.progress_report(after)
        if old != new:
            told.append(new)
    if ups.STATION_NAME_CODES in differing or ups.HUMAN_PERFORMERS in differing:
        assignment = events.assigned(after)
        if assignment is not None:
            told.append(assignment)
    return tuple(told)
