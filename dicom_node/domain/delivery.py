"""Results on their way to a destination."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class DeliveryStatus(StrEnum):
    """Where a delivery stands, and where each of its objects does."""

    #: Waits for its first or next attempt.
    PENDING = "pending"
    #: The destination took all; where it is asked to confirm, it has not yet.
    SENT = "sent"
    CONFIRMED = "confirmed"
    #: Given up: a dead letter, until a person retries or discards it.
    FAILED = "failed"
    #: A person decided that it need not arrive.
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Delivery:
    """All results of one version of a study to one destination, as a study shows it."""

    destination: str
    status: DeliveryStatus
    attempts: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryKey:
    """Names a delivery."""

    study_id: str
    version: int
    destination: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """How a delivery stands.

    Attributes
    ----------
    attempts
        Of all times.
    since, attempts_before
        When this round began (the first, or a person's retry, or progress), and the attempts before it.
    settled_at
        When it came to its end; `None` while anything is left to do by itself.
    next_at
        When it is due again; `None`: at once.
    number
        Counts how often it was handed to the engine; `dispatched_at` while it is there.
    token
        What a confirmation under way is known by; `confirming_since` when it was asked for.
    objects, sent, confirmed
        Counts of objects: all, those that were taken at least, those that were confirmed.
    """

    key: DeliveryKey
    status: DeliveryStatus
    attempts: int
    reason: str | None
    created_at: datetime
    since: datetime
    updated_at: datetime
    attempts_before: int = 0
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    settled_at: datetime | None = None
    next_at: datetime | None = None
    number: int = 0
    dispatched_at: datetime | None = None
    token: str | None = None
    confirming_since: datetime | None = None
    objects: int = 0
    sent: int = 0
    confirmed: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryObject:
    """One object of a delivery.

    Attributes
    ----------
    position
        In the order of sending: what others refer to comes first.
    sop_instance_uid
        The result's own, the same in the node and at the destination.
    """

    position: int
    sop_instance_uid: str
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    confirmed_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OutgoingObject:
    """One object as a sender gets it. Identity where the destination gets the original one: never logged.

    Attributes
    ----------
    transfer_syntaxes
        UIDs of those that it can be given in, best first.
    load
        Gives its Part 10 bytes in one of these, or as it is stored where the conversion would lose a pixel.
        Called when its turn comes.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntaxes: tuple[str, ...]
    load: Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class SentObject:
    """One object as the destination knows it. Identity where it got the original one: never logged."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class SendReport:
    """What a destination said to each instance that it did not take.

    Attributes
    ----------
    failures
        SOP Instance UID (as sent) to the reason.
    passing
        Those of them that may be taken another time.
    """

    failures: dict[str, str]
    passing: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether every instance was taken."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a destination says of what it was sent.

    Attributes
    ----------
    held
        SOP Instance UIDs of what it keeps.
    missing
        What it says that it does not keep, with the reason. In neither: no word of it yet.
    """

    held: frozenset[str] = frozenset()
    missing: dict[str, str] = field(default_factory=dict)
