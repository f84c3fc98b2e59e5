"""Deliver stage: results to one destination, original identity restored where it asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.delivery import Delivery, DeliveryStatus
from dicom_node.domain.errors import DeliveryFailed, ReidentificationFailed
from dicom_node.pipeline.check import load_result
from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.pipeline.services import Services
    from dicom_node.ports.delivery import ResultSender

#: No wait between two tries is longer, in seconds.
MAX_BACKOFF_S = 300.0


def sender_named(services: Services, destination: str) -> ResultSender:
    """The sender of a destination.

    Raises
    ------
    DeliveryFailed
        If the configuration no longer names it.
    """
    for sender in services.senders:
        if sender.destination.name == destination:
            return sender
    raise DeliveryFailed(f"destination {destination} is no longer configured; add it to `destinations` again")


def attempt_delivery(
    services: Services, study_id: str, version: int, destination: str, attempt: int
) -> Delivery:
    """Send all results of this version once; `attempt` counts from 1.

    A destination that has an instance already takes it again: the UIDs are the same, so nothing is
    shown twice.
    """
    delivery = _attempt(services, study_id, version, destination, attempt)
    services.index.set_delivery(study_id, version, delivery)
    services.metrics.count("deliveries", destination=destination, status=delivery.status.value)
    services.audit.record(
        "study.delivery",
        study_id=study_id,
        version=version,
        destination=destination,
        status=delivery.status.value,
        attempt=attempt,
    )
    return delivery


def _attempt(services: Services, study_id: str, version: int, destination: str, attempt: int) -> Delivery:
    try:
        sender = sender_named(services, destination)
        report = sender.send(_objects(services, study_id, version, sender))
    except ReidentificationFailed as exc:
        # Fail closed: no later try can make an unknown UID known.
        return Delivery(destination, DeliveryStatus.FAILED, attempt, str(exc))
    except DeliveryFailed as exc:
        reason = str(exc)
        given_up = attempt >= _max_attempts(services, destination)
    else:
        if report.complete:
            return Delivery(destination, DeliveryStatus.SENT, attempt)
        causes = ", ".join(sorted(set(report.failures.values())))
        reason = f"{len(report.failures)} instances refused: {causes}"
        given_up = attempt >= sender.destination.max_attempts
    return Delivery(
        destination, DeliveryStatus.FAILED if given_up else DeliveryStatus.PENDING, attempt, reason
    )


def _max_attempts(services: Services, destination: str) -> int:
    known = [s.destination.max_attempts for s in services.senders if s.destination.name == destination]
    return known[0] if known else 1


def _objects(services: Services, study_id: str, version: int, sender: ResultSender) -> Iterator[bytes]:
    entries = services.index.results(study_id, version)
    if not sender.destination.original_identity:
        for entry in entries:
            yield services.stores.results.read(entry.ref)
        return
    identity = services.vault.get(study_id)
    results = [load_result(services, entry) for entry in entries]
    # A UID that stands for an original one is never the node's own, whatever the gate saw of the source.
    own = services.gate.own_uids(results, study_input(services, study_id, version)) - identity.uids.keys()
    for result in results:
        yield services.reidentifier.restore(result.data, identity, own)


def backoff(first_s: float, attempt: int) -> float:
    """Seconds to wait after failed attempt number `attempt`, doubling up to `MAX_BACKOFF_S`."""
    return float(min(MAX_BACKOFF_S, first_s * 2 ** (attempt - 1)))
