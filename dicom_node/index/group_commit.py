"""Many threads, one transaction: what waits is committed together.

A thread that finds nobody committing takes all that waits, its own item included; the others find
theirs done when it is their turn. So one thread alone pays for one commit, and many share one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dicom_node.domain.errors import InternalError, NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class _Ticket(Generic[Item, Outcome]):
    __slots__ = ("done", "item", "outcome")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.outcome: Outcome | NodeError | None = None
        self.done = False


class GroupCommit(Generic[Item, Outcome]):
    """Commits items of many threads in batches.

    Parameters
    ----------
    commit
        Commits a batch in one durable transaction and returns each item's outcome in order: a value,
        or the error to raise to that item's caller.
    max_batch
        More wait for the next transaction.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Outcome | NodeError]], *, max_batch: int = 256
    ) -> None:
        self._commit = commit
        self._max_batch = max_batch
        self._waiting: list[_Ticket[Item, Outcome]] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def submit(self, item: Item) -> Outcome:
        """Return the outcome once it is durable.

        Raises
        ------
        NodeError
            The item's own error, or that of the whole transaction.
        """
        ticket: _Ticket[Item, Outcome] = _Ticket(item)
        with self._guard:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._turn:
                if not ticket.done:
                    self._lead()
        if isinstance(ticket.outcome, NodeError):
            raise ticket.outcome
        return cast("Outcome", ticket.outcome)

    def _lead(self) -> None:
        with self._guard:
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
        try:
            outcomes = self._commit([ticket.item for ticket in batch])
        except NodeError as exc:
            # Each caller gets an error of its own: a traceback belongs to one thread.
            outcomes = [type(exc)(*exc.args) for _ in batch]
        except BaseException:
            for ticket in batch:
                ticket.outcome = InternalError("the transaction that held this item was interrupted")
                ticket.done = True
            raise
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
            ticket.done = True
