"""Deliver stage: one attempt to bring a version's results to one destination, or to see them confirmed."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain import delivery_rules as rules
from dicom_node.domain.breaker import Breaker, BreakerState
from dicom_node.domain.delivery import DeliveryKey, DeliveryStatus
from dicom_node.domain.delivery_rules import SendOutcome
from dicom_node.domain.destination import Confirm
from dicom_node.domain.errors import DeliveryFailed, DeliveryRefused, NodeError, TransientError
from dicom_node.domain.notification import Event, EventKind
from dicom_node.pipeline.deliver_objects import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from dicom_node.domain.delivery import DeliveryObject, DeliveryRecord
    from dicom_node.domain.destination import Destination
    from dicom_node.pipeline.services import Services
    from dicom_node.ports.delivery import ResultSender

log = structlog.get_logger(__name__)

#: Objects whose fate is kept together while an attempt goes on, and seconds after which fewer are: what a
#: crash may make the node send a second time.
KEEP_OBJECTS = 64
KEEP_S = 1.0

_chance = random.SystemRandom().random


def sender_named(services: Services, destination: str) -> ResultSender | None:
    """The sender of a destination, or `None` where the configuration no longer names it."""
    return next((s for s in services.senders if s.destination.name == destination), None)


def attempt_delivery(
    services: Services, study_id: str, version: int, destination: str, number: int
) -> DeliveryStatus:
    """Send what was not taken yet, or ask for what was not confirmed yet; return how the delivery stands.

    A destination that has an instance already takes it again: the UIDs are the same, so nothing is shown
    twice.

    Parameters
    ----------
    number
        Of this hand-over; nothing happens where the delivery was handed over again since.
    """
    key = DeliveryKey(study_id, version, destination)
    record = services.deliveries.get(key)
    if record.number != number:
        return record.status
    if record.dispatched_at is None:
        # A crash came after the outcome was kept; whoever should know of it may not.
        _tell(services, record)
        return record.status
    sender = sender_named(services, destination)
    if sender is None:
        give_up(services, record, gone(destination))
        return DeliveryStatus.FAILED
    breaker = services.deliveries.breaker(destination)
    if breaker.state is BreakerState.OPEN:
        # It opened while this one waited for its turn: no attempt is burnt.
        services.deliveries.release(key, number)
        return record.status
    attempt = _Attempt(services, record, sender)
    attempt.run()
    _tell(services, attempt.record)
    return attempt.record.status


def give_up(services: Services, record: DeliveryRecord, reason: str) -> None:
    """Make a delivery a dead letter."""
    objects = list(services.deliveries.objects(record.key))
    record, changed = rules.given_up(record, objects, reason, services.clock.now())
    services.deliveries.record(record, changed)
    _tell(services, record)


def postpone(
    services: Services, study_id: str, version: int, destination: str, number: int, reason: str
) -> None:
    """Note that an attempt could not be made for want of the node's own stores: it is due again later."""
    record = services.deliveries.get(DeliveryKey(study_id, version, destination))
    sender = sender_named(services, destination)
    if record.number != number or record.dispatched_at is None or sender is None:
        return
    if record.status is DeliveryStatus.SENT:
        services.deliveries.record(rules.look_again(record, services.clock.now(), reason))
        return
    objects = list(services.deliveries.objects(record.key))
    record = replace(record, attempts=record.attempts + 1)
    later, changed = rules.waiting(
        record, sender.destination, objects, reason, None, services.clock.now(), _chance
    )
    services.deliveries.record(later, changed)


def gone(destination: str) -> str:
    """Why nothing goes to a destination that the configuration no longer names."""
    return (
        f"destination {destination} is no longer configured; add it to `destinations` again and retry,"
        " or discard the delivery"
    )


class _Attempt:
    """One attempt; `record` and `objects` follow what happens."""

    def __init__(self, services: Services, record: DeliveryRecord, sender: ResultSender) -> None:
        self._services = services
        self._sender = sender
        self._destination: Destination = sender.destination
        self._judged: Callable[[Breaker], Breaker] | None = None
        self.record = record
        self._objects = {item.sop_instance_uid: item for item in services.deliveries.objects(record.key)}
        self._unkept: set[str] = set()
        self._kept_at = time.monotonic()
        self._progress = False

    def run(self) -> None:
        """Send, then look for a confirmation where the destination gives one."""
        before = dict(self._objects)
        try:
            outgoing = Outgoing(self._services, self.record.key, self._destination)
            if self.record.status is DeliveryStatus.PENDING:
                self._conclude(self._send(outgoing))
            if self.record.status is DeliveryStatus.SENT and self.record.settled_at is None:
                self._confirm(outgoing)
        except TransientError:
            raise  # a store or the index: the step is tried again
        except NodeError as exc:
            # Fail closed: no later try can make an unknown UID known, or bring back what is gone.
            self._take(*rules.given_up(self.record, self._all(), str(exc), self._now()))
        self._services.deliveries.record(
            replace(self.record, dispatched_at=None), self._changed(before), self._judged
        )

    def _send(self, outgoing: Outgoing) -> SendOutcome:
        left = [item for item in self._all() if item.status is DeliveryStatus.PENDING]
        if not left:
            # Killed between the last object and the end of an attempt: all is there.
            return SendOutcome(progress=False)
        try:
            report = self._sender.send(outgoing.objects(left), self._told)
        except DeliveryFailed as exc:
            self._destination_failed(str(exc))
            return SendOutcome(self._progress, str(exc), exc.wait_s)
        except DeliveryRefused as exc:
            self._destination_failed(str(exc))
            return SendOutcome(self._progress, str(exc), final=True)
        for uid, reason in report.failures.items():
            passing = uid in report.passing
            status = DeliveryStatus.PENDING if passing else DeliveryStatus.FAILED
            if uid in self._objects:
                self._set(uid, status=status, reason=reason)
        taken = len(left) - len(report.failures)
        if report.passing and not taken and len(report.passing) == len(left):
            self._destination_failed(_causes(report.failures.values()))
        else:
            self._judged = Breaker.passed
        causes = [report.failures[uid] for uid in report.passing]
        why = f"{len(causes)} of {len(left)} objects not taken: {_causes(causes)}" if causes else None
        log.info(
            "delivery.sent",
            study_id=self.record.key.study_id,
            destination=self._destination.name,
            count=taken,
            outcome="complete" if report.complete else "incomplete",
        )
        return SendOutcome(self._progress, why)

    def _conclude(self, outcome: SendOutcome) -> None:
        self._take(
            *rules.after_sending(self.record, self._destination, self._all(), outcome, self._now(), _chance)
        )

    def _confirm(self, outgoing: Outgoing) -> None:
        confirmer = self._services.confirmers.get(self._destination.name)
        if self._destination.confirm is Confirm.NONE or confirmer is None:
            # The setting changed meanwhile.
            now = self._now()
            self.record = replace(self.record, settled_at=now, updated_at=now, dispatched_at=None)
            return
        open_ = [item for item in self._all() if item.status is DeliveryStatus.SENT]
        asked = outgoing.sent(open_)
        try:
            if self.record.confirming_since is None:
                self.record = replace(self.record, token=confirmer.begin(asked), confirming_since=self._now())
            answer = confirmer.look(asked, self.record.token)
        except (DeliveryFailed, DeliveryRefused) as exc:
            self._destination_failed(str(exc))
            since = self.record.confirming_since or self.record.sent_at
            self.record = replace(self.record, confirming_since=since)
            self._take(*self._looked({}))
            if self.record.status is DeliveryStatus.SENT:
                self.record = replace(self.record, reason=str(exc))
            return
        now = self._now()
        for uid in answer.held & {item.sop_instance_uid for item in open_}:
            self._set(uid, status=DeliveryStatus.CONFIRMED, confirmed_at=now, reason=None)
        self._take(*self._looked(answer.missing))

    def _looked(self, missing: dict[str, str]) -> tuple[DeliveryRecord, list[DeliveryObject]]:
        return rules.after_looking(self.record, self._destination, self._all(), missing, self._now(), _chance)

    def _told(self, uid: str, reason: str | None) -> None:
        """Note the fate of one object, and keep some together."""
        if uid not in self._objects:
            return
        item = self._objects[uid]
        values: dict[str, object] = {"attempts": item.attempts + 1, "reason": reason}
        if reason is None:
            self._progress = self._progress or item.sent_at is None
            values |= {"status": DeliveryStatus.SENT, "sent_at": self._now()}
        self._set(uid, **values)
        outcome = "sent" if reason is None else "failed"
        self._services.metrics.count("objects_delivered", destination=self._destination.name, outcome=outcome)
        self._unkept.add(uid)
        if len(self._unkept) >= KEEP_OBJECTS or time.monotonic() - self._kept_at >= KEEP_S:
            kept = [self._objects[uid] for uid in self._unkept]
            self._services.deliveries.record_objects(self.record.key, kept)
            self._unkept.clear()
            self._kept_at = time.monotonic()

    def _destination_failed(self, reason: str) -> None:
        now, destination = self._now(), self._destination

        def judged(before: Breaker) -> Breaker:
            after = before.failed(
                now, reason, limit=destination.breaker_failures, open_s=destination.breaker_open_s
            )
            if after.state is BreakerState.OPEN and before.state is not BreakerState.OPEN:
                log.warning("delivery.breaker_opened", destination=destination.name)
            return after

        self._judged = judged

    def _take(self, record: DeliveryRecord, objects: list[DeliveryObject]) -> None:
        self.record = record
        self._objects = {item.sop_instance_uid: item for item in objects}

    def _set(self, uid: str, **values: object) -> None:
        self._objects[uid] = replace(self._objects[uid], **values)  # type: ignore[arg-type]

    def _all(self) -> list[DeliveryObject]:
        return list(self._objects.values())

    def _changed(self, before: dict[str, DeliveryObject]) -> list[DeliveryObject]:
        return [item for uid, item in self._objects.items() if item != before[uid]]

    def _now(self) -> datetime:
        return self._services.clock.now()


def _causes(reasons: Iterable[str]) -> str:
    return ", ".join(sorted(set(reasons)))


def _tell(services: Services, record: DeliveryRecord) -> None:
    """Count and record what an attempt came to, and tell who asked for it."""
    key = record.key
    services.metrics.count("deliveries", destination=key.destination, status=record.status.value)
    services.audit.record(
        "study.delivery",
        study_id=key.study_id,
        version=key.version,
        destination=key.destination,
        status=record.status.value,
        attempt=record.attempts,
    )
    if record.settled_at is None:
        return
    failed = record.status is DeliveryStatus.FAILED
    kind = EventKind.DELIVERY_FAILED if failed else EventKind.RESULTS_AVAILABLE
    services.announcer.announce(
        Event(kind, key.study_id, key.version, key.destination, occasion=str(record.attempts))
    )
