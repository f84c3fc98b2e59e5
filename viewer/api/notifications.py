"""`/api/notifications`: messages to listeners, and another try for those that were given up."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.errors import NotFound
from dicom_node.domain.notification import EventKind, NotificationState
from viewer.access import Person, Role, requires
from viewer.api.schemas import ProblemOut
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.domain.notification import Notification
    from dicom_node.ports.notification import Notifications

MessageId = Annotated[str, Path(description="id of the message", max_length=64)]
Operator = Annotated[Person, requires(Role.OPERATOR)]
_PROBLEM: dict[str, Any] = {"model": ProblemOut}


class NotificationOut(BaseModel):
    """A message to one listener about one event."""

    id: Annotated[str, Field(description="what the listener gets as webhook-id")]
    listener: str
    event: EventKind
    study_id: str
    version: int
    destination: str | None
    state: NotificationState
    attempts: int
    created_at: datetime
    next_at: Annotated[datetime, Field(description="it is not tried before")]
    sent_at: datetime | None
    reason: Annotated[str | None, Field(description="why the last try failed")]


class NotificationPage(BaseModel):
    """A page, newest first, and who is told."""

    listeners: list[str]
    notifications: list[NotificationOut]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page; null on the last")]


class RetryIn(BaseModel):
    """Which messages: all that were given up, or those of one listener."""

    model_config = ConfigDict(extra="forbid")

    listener: str | None = Field(default=None, max_length=64)


class RetriedOut(BaseModel):
    """How many messages are on their way again."""

    queued: int


def create_router(notifications: Notifications) -> APIRouter:
    """Routes below `/api/notifications`."""
    router = APIRouter(prefix="/api/notifications", tags=["notifications"], route_class=ProblemRoute)

    @router.get("", responses={404: _PROBLEM})
    def list_notifications(
        state: NotificationState | None = None,
        listener: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=256)] = None,
    ) -> NotificationPage:
        """List messages to listeners, newest first."""
        found, following = notifications.page(state=state, listener=listener, limit=limit, cursor=cursor)
        return NotificationPage(
            listeners=list(notifications.listeners),
            notifications=[_out(message) for message in found],
            next_cursor=following,
        )

    @router.post("/retry", responses={403: _PROBLEM})
    def retry_all(wanted: RetryIn, person: Operator) -> RetriedOut:
        """Queue messages again that were given up. Needs the role `operator`; audited."""
        return RetriedOut(queued=notifications.retry(person.name, listener=wanted.listener))

    @router.post("/{message_id}/retry", responses={403: _PROBLEM, 404: _PROBLEM})
    def retry_one(message_id: MessageId, person: Operator) -> RetriedOut:
        """Queue one message again that was given up. Needs the role `operator`; audited."""
        queued = notifications.retry(person.name, message_id=message_id)
        if not queued:
            raise NotFound("no message that was given up has this id; GET /api/notifications?state=dead")
        return RetriedOut(queued=queued)

    return router


def _out(message: Notification) -> NotificationOut:
    return NotificationOut(
        id=message.id,
        listener=message.listener,
        event=message.kind,
        study_id=message.study_id,
        version=message.version,
        destination=message.destination,
        state=message.state,
        attempts=message.attempts,
        created_at=message.created_at,
        next_at=message.next_at,
        sent_at=message.sent_at,
        reason=message.reason,
    )
