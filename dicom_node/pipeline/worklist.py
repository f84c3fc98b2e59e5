"""The worklist as its edges and the node's own performer use it: rules, clock, audit and counting."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from dicom_node.domain import workitem_changes as changes
from dicom_node.domain.workitem import WorkitemRefused
from dicom_node.domain.workitem_checks import is_ae_title, is_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.domain.workitem import Model, Workitem, WorkitemPage, WorkitemQuery, WorkitemState
    from dicom_node.domain.workitem_events import Change
    from dicom_node.ports.operation import AuditLog, Clock, Metrics
    from dicom_node.ports.worklist import Worklist


class EventSignal:
    """Wakes who waits for events, in this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []
        self._closed = False

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        with self._changed:
            return bool(self._listeners)

    @property
    def closed(self) -> bool:
        """Whether no more events come: who has taken all that are there can go."""
        return self._closed

    def notify(self) -> None:
        """Call every listener."""
        with self._changed:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def close(self, timeout_s: float) -> None:
        """Let listeners end, and wait for them."""
        self._closed = True
        self.notify()
        with self._changed:
            self._changed.wait_for(lambda: not self._listeners, timeout_s)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have it called, from any thread; returns how to end that."""
        with self._changed:
            self._listeners.append(listener)

        def stop() -> None:
            with self._changed:
                self._listeners.remove(listener)
                self._changed.notify_all()

        return stop


class WorklistService:
    """Work items by PS3.4 Annex CC.

    Parameters
    ----------
    default_label
        Worklist Label of work items that come without one.
    """

    def __init__(
        self,
        worklist: Worklist,
        clock: Clock,
        audit: AuditLog,
        metrics: Metrics,
        signal: EventSignal,
        *,
        default_label: str,
    ) -> None:
        self.store = worklist
        self.signal = signal
        self._clock = clock
        self._audit = audit
        self._metrics = metrics
        self._default_label = default_label

    def create(self, model: Model, uid: str | None) -> Change:
        """Create a work item; the node gives a UID where none is given.

        Raises
        ------
        WorkitemRefused, Conflict
        """
        chosen = uid or f"2.25.{uuid.uuid4().int}"
        if not is_uid(chosen):
            raise WorkitemRefused("the Workitem UID is no UID (PS3.5 §9.1)")
        made = changes.create(model, chosen, self._clock.now(), self._default_label)
        self.store.create(made)
        self._audit.record("workitem.created", workitem=chosen)
        return made

    def get(self, uid: str) -> Workitem:
        """See `ports.Worklist.get`."""
        return self.store.get(uid)

    def search(self, query: WorkitemQuery) -> WorkitemPage:
        """See `ports.Worklist.search`."""
        return self.store.search(query)

    def update(self, uid: str, model: Model, transaction_uid: str | None) -> Change:
        """Set attributes.

        Raises
        ------
        WorkitemRefused, NotFound, Gone
        """
        now = self._clock.now()
        return self.store.change(uid, lambda item, _: changes.update(item, model, transaction_uid, now))

    def change_state(
        self, uid: str, target: WorkitemState, transaction_uid: str | None, performer: str | None = None
    ) -> Change:
        """Claim, complete or cancel.

        Raises
        ------
        WorkitemRefused, NotFound, Gone
        """
        now = self._clock.now()
        before: list[WorkitemState] = []

        def decide(item: Workitem, _: bool) -> Change:
            before[:] = [item.state]
            return changes.change_state(item, target, transaction_uid, now, performer)

        made = self.store.change(uid, decide)
        if before[0] is not made.item.state:
            self._record(made)
        return made

    def request_cancellation(self, uid: str, request: Model, requesting_ae: str) -> Change:
        """Cancel what nobody has claimed; ask the performer otherwise.

        Raises
        ------
        WorkitemRefused, NotFound, Gone
        """
        now = self._clock.now()

        def decide(item: Workitem, heard: bool) -> Change:
            return changes.request_cancellation(item, request, requesting_ae, now, heard=heard)

        self._audit.record("workitem.cancel_requested", workitem=uid, by=requesting_ae)
        made = self.store.change(uid, decide)
        if made.events and made.item.state.final:
            self._record(made)
        return made

    def change(self, uid: str, decide: Callable[[Workitem, bool], Change]) -> Change:
        """See `ports.Worklist.change`; a final state is recorded."""
        made = self.store.change(uid, decide)
        if made.events and made.item.state.final:
            self._record(made)
        return made

    def _record(self, made: Change) -> None:
        item = made.item
        self._audit.record("workitem.state", workitem=item.uid, state=item.state.value)
        if item.state.final:
            self._metrics.count("workitems_ended", state=item.state.value)


def check_ae_title(text: str) -> str:
    """An AE title without the spaces around it.

    Raises
    ------
    WorkitemRefused
    """
    if not is_ae_title(text):
        raise WorkitemRefused("an AE title has up to 16 printable characters and no backslash (PS3.5 §6.2)")
    return text.strip()
