"""The thread that hands due deliveries to the engine, probes destinations, and ends versions.

The database holds what is due, the engine only what is under way; so nothing is lost between the two, and
several processes that share the database keep the limits of each destination together.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery_rules import expired
from dicom_node.domain.errors import DeliveryFailed, DeliveryRefused, InternalError, NodeError
from dicom_node.pipeline import deliver, deliver_plan

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.breaker import Breaker
    from dicom_node.pipeline.services import Services
    from dicom_node.ports.delivery import ResultSender

log = structlog.get_logger(__name__)

#: Seconds between two looks where nothing wakes the thread.
LOOK_S = 1.0
#: Seconds between two looks for what got lost on the way to the engine, or was tried for too long.
SWEEP_S = 30.0
#: Seconds after which it may have got lost.
LOST_S = 10.0
#: Seconds that a probe may take before another is made.
PROBE_S = 120.0
#: Deliveries of a destination that is gone which are ended in one go.
_GONE = 1000


class Engine(Protocol):
    """Runs deliveries and closings durably."""

    @property
    def changed(self) -> threading.Event:
        """Set whenever there may be something new to hand over."""

    def start_delivery(self, study_id: str, version: int, destination: str, number: int) -> None:
        """Start an attempt; the same arguments again start nothing."""

    def start_close(self, study_id: str, version: int, number: int) -> None:
        """Start to end a version; the same arguments again start nothing."""

    def has_delivery(self, study_id: str, version: int, destination: str, number: int) -> bool:
        """Whether an attempt waits or runs."""

    def has_close(self, study_id: str, version: int, number: int) -> bool:
        """Whether the end of a version waits or runs."""


class Dispatcher:
    """Looks for what is due until it is stopped."""

    def __init__(self, services: Services, engine: Engine) -> None:
        self._services = services
        self._store = services.deliveries
        self._engine = engine
        self._senders = {sender.destination.name: sender for sender in services.senders}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._probes: list[threading.Thread] = []
        self._swept_at: datetime | None = None

    def start(self) -> None:
        """Start looking, at once."""
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what is with the engine goes on, a probe that takes long ends with the process."""
        self._stop.set()
        self._engine.changed.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        for probe in self._probes:
            probe.join(timeout=2)

    def _run(self) -> None:
        while not self._stop.is_set():
            # Before the look, so that what comes up during it counts.
            self._engine.changed.clear()
            try:
                self.look()
            except NodeError as exc:
                log.warning("deliveries.look_failed", code=exc.code)
            except Exception as exc:  # noqa: BLE001  one bad look must not end all looks
                log.error("deliveries.look_failed", reason=str(InternalError.of(exc)))
            self._engine.changed.wait(LOOK_S)

    def look(self) -> None:
        """Hand over what is due now."""
        now = self._services.clock.now()
        for destination in self._store.waiting(now):
            self._hand_over(destination, now)
        for breaker in self._store.breakers():
            self._probe_where_due(breaker, now)
        self._close_what_is_due(now)
        if self._swept_at is None or (now - self._swept_at).total_seconds() >= SWEEP_S:
            self._swept_at = now
            self.sweep(now)

    def sweep(self, now: datetime) -> None:
        """Take back what got lost on the way to the engine, and give up what has been tried for too long."""
        lost = now - timedelta(seconds=LOST_S)
        for record in self._store.dispatched(lost):
            key = record.key
            if not self._engine.has_delivery(key.study_id, key.version, key.destination, record.number):
                log.warning("delivery.taken_back", study_id=key.study_id, destination=key.destination)
                self._store.release(key, record.number)
        lost_looks = [
            (*look, now)
            for look in self._store.dispatched_closings(lost)
            if not self._engine.has_close(*look)
        ]
        if lost_looks:
            self._store.release_closings(lost_looks)
        for sender in self._senders.values():
            destination = sender.destination
            for record in self._store.queued(
                destination.name, now - timedelta(seconds=destination.max_age_s)
            ):
                if expired(record, destination, now):
                    why = record.reason or "the destination was not there"
                    deliver.give_up(self._services, record, f"{why} (given up for its age)")

    def _hand_over(self, name: str, now: datetime) -> None:
        sender = self._senders.get(name)
        if sender is None:
            for record in self._store.dispatch(name, _GONE, now):
                deliver.give_up(self._services, record, deliver.gone(name))
            return
        allowance = self._store.breaker(name).allowance(sender.destination.concurrency)
        if allowance:
            for record in self._store.dispatch(name, allowance, now):
                key = record.key
                self._engine.start_delivery(key.study_id, key.version, key.destination, record.number)

    def _close_what_is_due(self, now: datetime) -> None:
        idle: list[tuple[str, int, int, datetime | None]] = []
        for study_id, version, number in self._store.due_closings(now):
            ending = deliver_plan.ending(self._services, study_id, version)
            if ending is None or ending.idle:
                idle.append((study_id, version, number, None if ending is None else ending.again_at))
            else:
                self._engine.start_close(study_id, version, number)
        if idle:
            self._store.release_closings(idle)

    def _probe_where_due(self, breaker: Breaker, now: datetime) -> None:
        sender = self._senders.get(breaker.destination)
        if sender is None or breaker.state is not BreakerState.OPEN:
            return
        if breaker.probe_at is None or breaker.probe_at > now:
            return
        if self._store.claim_probe(breaker.destination, now, now + timedelta(seconds=PROBE_S)):
            probe = threading.Thread(target=self._probe, args=(sender,), name="probe", daemon=True)
            self._probes = [*(thread for thread in self._probes if thread.is_alive()), probe]
            probe.start()

    def _probe(self, sender: ResultSender) -> None:
        destination = sender.destination
        try:
            self._conclude(sender)
            self._engine.changed.set()
        except NodeError as exc:
            log.warning("delivery.probe_failed", destination=destination.name, code=exc.code)
        except Exception as exc:  # noqa: BLE001  nobody asks this thread for its error
            log.error(
                "delivery.probe_failed", destination=destination.name, reason=str(InternalError.of(exc))
            )

    def _conclude(self, sender: ResultSender) -> None:
        destination = sender.destination
        try:
            sender.probe()
        except (DeliveryFailed, DeliveryRefused) as exc:
            found = self._store.breaker(destination.name).failed(
                self._services.clock.now(),
                str(exc),
                limit=destination.breaker_failures,
                open_s=destination.breaker_open_s,
            )
        else:
            found = self._store.breaker(destination.name).probed()
        log.info("delivery.probed", destination=destination.name, outcome=found.state.value)
        self._store.set_breaker(found)
