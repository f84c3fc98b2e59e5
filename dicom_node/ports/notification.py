"""Telling others what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dicom_node.domain.notification import Event, Notification, NotificationState
    from dicom_node.domain.result import ResultEntry


class Announcer(Protocol):
    """Queues messages to those who asked for a kind of event."""

    def announce(self, event: Event) -> None:
        """Queue a message to each listener of this event; durable on return.

        The same event again queues nothing, so a step that a crash repeats may announce again.

        Raises
        ------
        StorageFailure, OutOfResources
        """


class WebhookSender(Protocol):
    """Tells one listener by HTTP."""

    def post(self, message_id: str, body: bytes, at: datetime) -> None:
        """Send a signed message.

        Raises
        ------
        NotificationFailed
            If it was not taken.
        """


class AvailabilitySender(Protocol):
    """Tells one listener by DICOM's Instance Availability Notification."""

    def tell(self, message_id: str, study_instance_uid: str, results: Sequence[ResultEntry]) -> None:
        """Say that these results can be retrieved.

        Parameters
        ----------
        study_instance_uid
            As the listener knows the study: it may be the original one, which is never logged.

        Raises
        ------
        NotificationFailed
            If it was not taken.
        """


class NotificationStore(Protocol):
    """Messages until they are taken, and after. Each call is one durable transaction."""

    def add(self, messages: Sequence[Notification]) -> None:
        """Queue messages; one whose id is known changes nothing."""

    def claim(self, listener: str, now: datetime, until: datetime) -> Notification | None:
        """The message to this listener that is due longest; nobody else gets it before `until`."""

    def update(self, message: Notification) -> None:
        """Record how a message stands."""

    def retry(self, now: datetime, *, message_id: str | None = None, listener: str | None = None) -> int:
        """Queue dead messages again, all of them or those named; return how many."""

    def page(
        self,
        *,
        state: NotificationState | None = None,
        listener: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[Notification], str | None]:
        """A page, newest first, and the cursor of the next page.

        Raises
        ------
        NotFound
            If the cursor is none that was given.
        """

    def count(self) -> dict[tuple[str, NotificationState], int]:
        """How many messages stand in each state, by listener."""

    def forget(self, sent_before: datetime) -> int:
        """Drop messages that were sent before then; return how many."""


class Notifications(Protocol):
    """What a person sees of messages, and may do with them."""

    @property
    def listeners(self) -> tuple[str, ...]:
        """Names of the configured listeners."""

    def page(
        self,
        *,
        state: NotificationState | None = None,
        listener: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[Notification], str | None]:
        """See `NotificationStore.page`."""

    def retry(self, by: str, *, message_id: str | None = None, listener: str | None = None) -> int:
        """Queue dead messages again; audited. Return how many."""
