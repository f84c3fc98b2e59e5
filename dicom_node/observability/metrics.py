"""Metrics for Prometheus. Every metric is declared here, so that no label can carry identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import Metric

#: Counter name to (help text, label names).
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "instances_received": ("SOP Instances taken", ("source", "outcome")),
    "instances_refused": ("SOP Instances refused, by error code", ("source", "code")),
    "instances_quarantined": ("SOP Instances that de-identification kept back", ()),
    "quarantine_decisions": ("Decisions about instances in quarantine", ("decision",)),
    "associations": ("DICOM associations, by outcome", ("outcome",)),
    "receivers_restarted": ("Receiver processes that died and were started again", ()),
    "model_runs": ("Model runs", ("model", "status")),
    "model_loads": ("Model processes started, with their model loaded", ("model",)),
    "model_evictions": ("Model processes ended to make room for another model", ("model",)),
    "model_process_deaths": ("Model processes that died or were ended in a run", ("model",)),
    "results_kept_back": ("Result objects that the output gate kept back", ()),
    "deliveries": ("Delivery attempts", ("destination", "status")),
    "objects_delivered": ("Result objects, by what came of sending", ("destination", "outcome")),
    "notifications": ("Messages to listeners, by what came of a try", ("listener", "outcome")),
    "studies_ended": ("Studies that ended", ("state",)),
    "studies_purged": ("Studies whose inputs were purged", ()),
    "requests": ("DICOMweb requests", ("service", "status")),
    "queries": ("C-FIND requests answered, by the last status", ("status",)),
    "retrievals": ("C-GET and C-MOVE requests answered, by the last status", ("operation", "status")),
    "commitments": ("Storage commitments, by who asked and what came of it", ("role", "outcome")),
    "workitems_ended": ("Work items that ended, whoever performed them", ("state",)),
}
#: Histogram name to (help text, label names). All are in seconds.
TIMINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "stage_seconds": ("Time of one pipeline stage", ("stage",)),
    "model_seconds": ("A model's own time", ("model",)),
    "model_wait_seconds": ("Time that a run waited for its turn and for memory", ("model",)),
    "model_load_seconds": ("Time to start a model's process and load it", ("model",)),
    "store_seconds": ("Time from the last byte of an instance to its answer", ("source",)),
}
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class PrometheusMetrics:
    """`ports.Metrics` over a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"dicom_node_{name}", text, labels, registry=self._registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self._timings = {
            name: Histogram(f"dicom_node_{name}", text, labels, registry=self._registry, buckets=BUCKETS)
            for name, (text, labels) in TIMINGS.items()
        }

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a declared counter.

        Raises
        ------
        KeyError
            If the counter is not declared.
        ValueError
            If the labels are not the declared ones.
        """
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add to a declared timing; raises as `count` does."""
        timing = self._timings[name]
        (timing.labels(**labels) if labels else timing).observe(seconds)

    def watch(self, name: str, text: str, read: Callable[[], Mapping[str, float]], label: str) -> None:
        """Declare gauges that are read when they are asked for, one for each value of `label`."""
        self._registry.register(_Watched(f"dicom_node_{name}", text, read, label))

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class _Watched(Collector):
    def __init__(self, name: str, text: str, read: Callable[[], Mapping[str, float]], label: str) -> None:
        self._name, self._text, self._read, self._label = name, text, read, label

    def collect(self) -> list[Metric]:
        gauge = Gauge(self._name, self._text, (self._label,), registry=None)
        for key, value in self._read().items():
            gauge.labels(key).set(value)
        return list(gauge.collect())
