"""What an attempt means for a delivery: pure functions of what is known and what happened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.destination import Confirm

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dicom_node.domain.delivery import DeliveryObject, DeliveryRecord
    from dicom_node.domain.destination import Destination

#: Seconds between two looks for a confirmation, at least and at most.
LOOK_S = (1.0, 60.0)


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What one attempt to send came to.

    Attributes
    ----------
    progress
        Whether the destination took anything that it had never taken before.
    reason
        What went wrong, without identity; `None` where nothing did.
    wait_s
        Seconds that the destination asks to wait.
    final
        Whether trying again is of no use.
    """

    progress: bool
    reason: str | None = None
    wait_s: float | None = None
    final: bool = False


def backoff(destination: Destination, failures: int, chance: Callable[[], float]) -> float:
    """Seconds to wait after so many failures in a row: anything up to a bound that doubles ("full jitter").

    Parameters
    ----------
    chance
        A random number from 0 to 1.
    """
    doubled: float = destination.backoff_s * 2 ** min(max(failures, 1) - 1, 32)
    return min(destination.max_backoff_s, doubled) * chance()


def after_sending(
    record: DeliveryRecord,
    destination: Destination,
    objects: list[DeliveryObject],
    outcome: SendOutcome,
    now: datetime,
    chance: Callable[[], float],
) -> tuple[DeliveryRecord, list[DeliveryObject]]:
    """The delivery and its objects after an attempt.

    Parameters
    ----------
    objects
        All of the delivery, as the attempt left them.
    """
    record = replace(
        record, attempts=record.attempts + 1, updated_at=now, dispatched_at=None, token=None, next_at=None
    )
    left = [item for item in objects if item.status is DeliveryStatus.PENDING]
    refused = [item for item in objects if item.status is DeliveryStatus.FAILED]
    if left and not outcome.final:
        if outcome.progress:
            # What gets on needs no end; it comes to one, for objects are taken once.
            record = replace(record, attempts_before=record.attempts)
        return waiting(
            record, destination, objects, outcome.reason or "no answer", outcome.wait_s, now, chance
        )
    if left or refused:
        reason = outcome.reason or _refusals(refused, len(objects))
        return given_up(record, objects, reason, now)
    record = replace(record, status=DeliveryStatus.SENT, sent_at=now, reason=None, confirming_since=None)
    if destination.confirm is Confirm.NONE:
        return replace(record, settled_at=now), objects
    return record, objects


def waiting(
    record: DeliveryRecord,
    destination: Destination,
    objects: list[DeliveryObject],
    reason: str,
    wait_s: float | None,
    now: datetime,
    chance: Callable[[], float],
) -> tuple[DeliveryRecord, list[DeliveryObject]]:
    """The delivery after a failure that may pass: due again later, or given up."""
    tried = record.attempts - record.attempts_before
    if tried >= destination.max_attempts:
        return given_up(record, objects, f"{reason} (given up after {record.attempts} attempts)", now)
    if expired(record, destination, now):
        return given_up(record, objects, f"{reason} (given up after {_span(destination.max_age_s)})", now)
    wait = max(wait_s or 0.0, backoff(destination, tried, chance))
    return (
        replace(
            record,
            status=DeliveryStatus.PENDING,
            reason=reason,
            updated_at=now,
            dispatched_at=None,
            token=None,
            confirming_since=None,
            next_at=now + timedelta(seconds=wait),
        ),
        objects,
    )


def given_up(
    record: DeliveryRecord, objects: list[DeliveryObject], reason: str, now: datetime
) -> tuple[DeliveryRecord, list[DeliveryObject]]:
    """A dead letter."""
    return (
        replace(
            record,
            status=DeliveryStatus.FAILED,
            reason=reason,
            updated_at=now,
            settled_at=now,
            dispatched_at=None,
            next_at=None,
            token=None,
            confirming_since=None,
        ),
        [
            replace(item, status=DeliveryStatus.FAILED, reason=item.reason or reason)
            if item.status is DeliveryStatus.PENDING
            else item
            for item in objects
        ],
    )


def after_looking(
    record: DeliveryRecord,
    destination: Destination,
    objects: list[DeliveryObject],
    missing: dict[str, str],
    now: datetime,
    chance: Callable[[], float],
) -> tuple[DeliveryRecord, list[DeliveryObject]]:
    """The delivery after the destination was asked what it keeps.

    Parameters
    ----------
    objects
        All of the delivery; those that it keeps are confirmed.
    missing
        Reason by SOP Instance UID of what it says that it does not keep.
    """
    open_ = [item for item in objects if item.status is DeliveryStatus.SENT]
    if not open_:
        done = DeliveryStatus.CONFIRMED
        return (
            replace(
                record,
                status=done,
                reason=None,
                updated_at=now,
                confirmed_at=now,
                settled_at=now,
                dispatched_at=None,
                next_at=None,
                token=None,
                confirming_since=None,
            ),
            objects,
        )
    since = record.confirming_since or now
    over = (now - since).total_seconds() >= destination.confirm_timeout_s
    if not missing and not over:
        return look_again(record, now), objects
    again = [
        replace(
            item, status=DeliveryStatus.PENDING, reason=missing.get(item.sop_instance_uid, "no word of it")
        )
        if item.status is DeliveryStatus.SENT and (over or item.sop_instance_uid in missing)
        else item
        for item in objects
    ]
    lost = [item for item in again if item.status is DeliveryStatus.PENDING]
    causes = ", ".join(sorted({item.reason or "" for item in lost}))
    reason = f"{len(lost)} of {len(objects)} objects not confirmed: {causes}"
    return waiting(record, destination, again, reason, None, now, chance)


def look_again(record: DeliveryRecord, now: datetime, reason: str | None = None) -> DeliveryRecord:
    """The delivery while its confirmation is waited for: the longer it takes, the rarer the looks."""
    since = record.confirming_since or now
    wait = min(max((now - since).total_seconds(), LOOK_S[0]), LOOK_S[1])
    return replace(
        record,
        reason=reason,
        updated_at=now,
        dispatched_at=None,
        confirming_since=since,
        next_at=now + timedelta(seconds=wait),
    )


def expired(record: DeliveryRecord, destination: Destination, now: datetime) -> bool:
    """Whether a delivery has been tried for as long as it may be."""
    return (now - record.since).total_seconds() >= destination.max_age_s


def _refusals(refused: list[DeliveryObject], of: int) -> str:
    causes = ", ".join(sorted({item.reason or "refused" for item in refused}))
    return f"{len(refused)} of {of} objects refused: {causes}"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 7200 else f"{seconds:.0f} s"
