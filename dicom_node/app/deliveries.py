"""Deliveries put together: who hands them over, who decides about them, and their metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.pipeline.deliver_desk import DeliveryDesk
from dicom_node.pipeline.deliver_dispatch import Dispatcher

if TYPE_CHECKING:
    from dicom_node.observability.metrics import PrometheusMetrics
    from dicom_node.pipeline.services import Services
    from dicom_node.pipeline.workflow import Pipeline

_OPENNESS: Final = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


def build_deliveries(
    services: Services, pipeline: Pipeline, metrics: PrometheusMetrics
) -> tuple[Dispatcher, DeliveryDesk]:
    """The dispatcher, not started, and the desk."""
    names = tuple(sender.destination.name for sender in services.senders)

    def counted(status: DeliveryStatus) -> dict[str, float]:
        counts = services.deliveries.counts()
        return {name: counts.get(name, {}).get(status, 0) for name in {*names, *counts}}

    metrics.watch(
        "deliveries_waiting",
        "Deliveries that wait for an attempt, by destination",
        lambda: counted(DeliveryStatus.PENDING),
        "destination",
    )
    metrics.watch(
        "dead_letters",
        "Deliveries that were given up and wait for a person, by destination",
        lambda: counted(DeliveryStatus.FAILED),
        "destination",
    )
    metrics.watch(
        "destination_breaker",
        "Circuit breaker by destination: 0 closed, 1 half open, 2 open",
        lambda: {name: _OPENNESS[services.deliveries.breaker(name).state] for name in names},
        "destination",
    )
    return Dispatcher(services, pipeline), DeliveryDesk(services, pipeline.changed.set)
