"""Telling others: an event becomes a message to each listener, and each message is sent until it is taken."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from dicom_node.domain.errors import InternalError, NodeError, NotificationFailed
from dicom_node.domain.notification import Notification, NotificationState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from dicom_node.domain.notification import Event, Listener
    from dicom_node.ports.notification import NotificationStore
    from dicom_node.ports.operation import AuditLog, Clock, Metrics

log = structlog.get_logger(__name__)

#: Seconds before the second try, and the longest between two: each wait is drawn between nothing and a bound
#: that doubles, so that messages that failed together do not come back together.
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 3600.0
#: Nobody else tries a message for so many seconds after it was claimed; a crash delays it by as much.
CLAIM_S = 120.0
#: Messages to one listener in one look.
_BATCH = 50
#: Days that a sent message is remembered, so that the same event is not told twice.
REMEMBERED_DAYS = 30


class Channel(Protocol):
    """One way to tell a listener."""

    def body(self, event: Event, at: datetime) -> str:
        """What is kept of the event until it is told; carries no identity."""

    def send(self, message: Notification, at: datetime) -> None:
        """Tell it.

        Raises
        ------
        NodeError
            If it was not taken.
        """


@dataclass(frozen=True, slots=True)
class Outlet:
    """A listener and the way to it."""

    listener: Listener
    channel: Channel


class Notifier:
    """`ports.Announcer` and `ports.Notifications`.

    Parameters
    ----------
    draw
        A number between 0 and its argument, evenly spread.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        store: NotificationStore,
        clock: Clock,
        audit: AuditLog,
        metrics: Metrics,
        draw: Callable[[float], float] = lambda bound: random.uniform(0.0, bound),  # noqa: S311  no secret
    ) -> None:
        self._outlets = {outlet.listener.name: outlet for outlet in outlets}
        self._store = store
        self._clock = clock
        self._audit = audit
        self._metrics = metrics
        self._draw = draw

    @property
    def listeners(self) -> tuple[str, ...]:
        """See `ports.Notifications.listeners`."""
        return tuple(self._outlets)

    def announce(self, event: Event) -> None:
        """See `ports.Announcer.announce`."""
        told = [outlet for outlet in self._outlets.values() if outlet.listener.wants(event)]
        if not told:
            return
        now = self._clock.now()
        self._store.add(
            [
                Notification(
                    id=event.id_for(outlet.listener.name),
                    listener=outlet.listener.name,
                    kind=event.kind,
                    study_id=event.study_id,
                    version=event.version,
                    destination=event.destination,
                    body=outlet.channel.body(event, now),
                    state=NotificationState.PENDING,
                    attempts=0,
                    created_at=now,
                    queued_at=now,
                    next_at=now,
                )
                for outlet in told
            ]
        )

    def page(
        self,
        *,
        state: NotificationState | None = None,
        listener: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[Notification], str | None]:
        """See `ports.Notifications.page`."""
        return self._store.page(state=state, listener=listener, limit=limit, cursor=cursor)

    def retry(self, by: str, *, message_id: str | None = None, listener: str | None = None) -> int:
        """See `ports.Notifications.retry`."""
        queued = self._store.retry(self._clock.now(), message_id=message_id, listener=listener)
        self._audit.record("notifications.retried", by=by, listener=listener, id=message_id, count=queued)
        return queued

    def send_due(self, listener: str) -> int:
        """Send what is due to one listener; return how many it took.

        After a failure the rest waits for the next look: who does not answer is not asked fifty times.
        """
        outlet = self._outlets[listener]
        for sent in range(_BATCH):
            now = self._clock.now()
            message = self._store.claim(listener, now, now + timedelta(seconds=CLAIM_S))
            if message is None or not self._send(outlet, message, now):
                return sent
        return _BATCH

    def forget_old(self) -> int:
        """Drop what was sent long ago; return how many."""
        return self._store.forget(self._clock.now() - timedelta(days=REMEMBERED_DAYS))

    def _send(self, outlet: Outlet, message: Notification, now: datetime) -> bool:
        message = replace(message, attempts=message.attempts + 1)
        try:
            outlet.channel.send(message, now)
        except NodeError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001  one bad message must not stop the others
            error = InternalError.of(exc)
        else:
            self._store.update(
                replace(message, state=NotificationState.SENT, sent_at=self._clock.now(), reason=None)
            )
            self._metrics.count("notifications", listener=message.listener, outcome="sent")
            return True
        self._failed(outlet.listener, message, now, error)
        return False

    def _failed(self, listener: Listener, message: Notification, now: datetime, error: NodeError) -> None:
        asked = error.wait_s if isinstance(error, NotificationFailed) else None
        final = isinstance(error, NotificationFailed) and error.final
        bound = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(message.attempts - 1, 20))
        wait = timedelta(seconds=max(1.0, asked or 0.0, self._draw(bound)))
        dead = final or now + wait > message.queued_at + timedelta(seconds=listener.max_age_s)
        state = NotificationState.DEAD if dead else NotificationState.PENDING
        self._store.update(replace(message, state=state, next_at=now + wait, reason=str(error)))
        self._metrics.count("notifications", listener=listener.name, outcome="dead" if dead else "failed")
        log.warning(
            "notification.failed",
            study_id=message.study_id,
            name=listener.name,
            attempt=message.attempts,
            state=state.value,
            reason=str(error),
        )
        if dead:
            self._audit.record("notification.given_up", id=message.id, listener=listener.name)
