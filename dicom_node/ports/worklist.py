"""Work items, who watches them, and where the input of one comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from dicom_node.domain.workitem import Workitem, WorkitemPage, WorkitemQuery
    from dicom_node.domain.workitem_events import Change, QueuedEvent, WorkitemEvent


class Worklist(Protocol):
    """Work items and subscriptions. Each call is one durable transaction, with the events that it brings.

    An event is queued for every subscriber of its work item in the transaction that caused it.
    """

    def create(self, made: Change) -> None:
        """Add a new work item; who has subscribed to the worklist is subscribed to it.

        Raises
        ------
        Conflict
            If the UID was ever used.
        """

    def get(self, uid: str) -> Workitem:
        """One work item.

        Raises
        ------
        NotFound
        Gone
            If it was deleted after its end.
        """

    def change(self, uid: str, decide: Callable[[Workitem, bool], Change]) -> Change:
        """Replace a work item by what `decide` makes of it; of two callers one goes first.

        Parameters
        ----------
        decide
            Gets the work item and whether anybody is subscribed to it. Pure: it may be called again. What
            it raises leaves the work item as it was.

        Raises
        ------
        NotFound, Gone
        """

    def search(self, query: WorkitemQuery) -> WorkitemPage:
        """Matches, oldest first.

        Raises
        ------
        ValueError
            If a match value is malformed; the message names the attribute.
        """

    def waiting(self, performer: str) -> Sequence[tuple[str, datetime]]:
        """UID and last change of work items that are scheduled and ready, or claimed by `performer`."""

    def subscribe(self, uid: str, ae_title: str, *, lock: bool) -> None:
        """Subscribe to one work item; the subscriber is told its state.

        Raises
        ------
        NotFound, Gone
        """

    def subscribe_worklist(self, ae_title: str, *, lock: bool, matches: dict[str, str] | None) -> None:
        """Subscribe to all work items, now and to come, or to those that match.

        Raises
        ------
        ValueError
            If a match value is malformed.
        """

    def unsubscribe(self, uid: str, ae_title: str) -> bool:
        """End the subscription to one work item; `False` where there is none."""

    def unsubscribe_worklist(self, ae_title: str, *, filtered: bool) -> bool:
        """End the subscription to the worklist and to every work item; `False` where there is none."""

    def suspend(self, ae_title: str, *, filtered: bool) -> bool:
        """Subscribe to no further work items; `False` where there is no subscription to the worklist."""

    def announce(self, event: WorkitemEvent) -> None:
        """Queue an event for everybody who is subscribed to anything."""

    def undelivered(self, ae_title: str) -> int:
        """The id before that of the oldest event that nobody has received yet."""

    def events(self, ae_title: str, after: int, limit: int = 100) -> Sequence[QueuedEvent]:
        """Events of a subscriber behind an id, and those that nobody received, in their order."""

    def delivered(self, ids: Iterable[int]) -> None:
        """Record that events were received."""

    def expire(self, ended_before: datetime, queued_before: datetime) -> int:
        """Delete ended work items without a deletion lock, and old events; return how many work items."""


class InputSource(Protocol):
    """Gets studies that a work item names and that are not here."""

    def source_for(self, url: str | None, ae_title: str | None) -> str | None:
        """Name of the configured source that a retrieval names; `None` where there is none."""

    def request(self, source: str, study_instance_uid: str) -> None:
        """Have a study sent here; returns at once, and may be called again.

        Parameters
        ----------
        study_instance_uid
            Original.

        Raises
        ------
        NodeError
            If it cannot be asked for.
        """
