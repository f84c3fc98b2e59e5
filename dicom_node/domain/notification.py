"""What the node tells others about: events, who listens, and the messages between."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.study import StudyState


class EventKind(StrEnum):
    """What others may be told about."""

    #: Results can be fetched: from the node, or from the destination that the event names.
    RESULTS_AVAILABLE = "results-available"
    #: A version of a study ended, in whatever state.
    STUDY_ENDED = "study-ended"
    #: A delivery was given up; a person may retry it.
    DELIVERY_FAILED = "delivery-failed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a version of a study.

    Attributes
    ----------
    study_id
        The node's own id.
    destination
        Name of the destination that has the results, or has not got them; `None` where it is about the
        node's own store, or about the study.
    occasion
        Tells events apart that may happen again, such as the same delivery given up after a retry.
    state
        How the version ended, where that is the event.
    """

    kind: EventKind
    study_id: str
    version: int
    destination: str | None = None
    occasion: str = ""
    state: StudyState | None = None

    def id_for(self, listener: str) -> str:
        """The id of the message about this event to one listener: the same event gives the same id."""
        named = (listener, self.kind.value, self.study_id, str(self.version), self.destination or "")
        key = "\n".join((*named, self.occasion))
        return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told, and of what.

    Attributes
    ----------
    name
        As in the configuration.
    of
        The destination whose deliveries it is told of. `None`: it is told when results can be fetched
        from the node itself, and of failures of every destination.
    max_age_s
        Seconds after which a message that was not taken is given up.
    """

    name: str
    events: frozenset[EventKind]
    of: str | None = None
    max_age_s: float = 259_200.0

    def wants(self, event: Event) -> bool:
        """Whether it is told of this event."""
        if event.kind not in self.events:
            return False
        if event.kind is EventKind.RESULTS_AVAILABLE:
            return event.destination == self.of
        return event.kind is EventKind.STUDY_ENDED or self.of in (None, event.destination)


class NotificationState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    SENT = "sent"
    #: Given up; a person may retry it.
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to one listener about one event.

    Attributes
    ----------
    id
        Its own: what the listener tells repetitions by.
    listener
        As in the configuration.
    body
        JSON, without identity.
    attempts
        Tries since it was made, or retried by a person.
    queued_at
        When it was made, or retried by a person.
    next_at
        It is not tried before.
    reason
        Why the last try failed; carries no identity.
    """

    id: str
    listener: str
    kind: EventKind
    study_id: str
    version: int
    destination: str | None
    body: str
    state: NotificationState
    attempts: int
    created_at: datetime
    queued_at: datetime
    next_at: datetime
    sent_at: datetime | None = None
    reason: str | None = None
