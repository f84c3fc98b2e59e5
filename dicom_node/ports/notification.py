"""Telling others what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dicom_node.domain.notification import Event


class Announcer(Protocol):
    """Queues messages to those who asked for a kind of event."""

    def announce(self, event: Event) -> None:
        """Queue a message to each listener of this event; durable on return.

        The same event again queues nothing, so a step that a crash repeats may announce again.

        Raises
        ------
        StorageFailure, OutOfResources
        """
