"""The engine that runs models, from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.packages.trust import TrustStore
from inference.runner.engine import ProcessEngine
from inference.runner.limits import RunLimits

if TYPE_CHECKING:
    from dicom_node.observability.metrics import PrometheusMetrics
    from dicom_node.settings import Settings
    from inference.registry import ModelRegistry


def build_engine(
    settings: Settings, registry: ModelRegistry, metrics: PrometheusMetrics | None = None
) -> ProcessEngine:
    """The engine with the limits of the settings; no process is started yet."""
    inference = settings.inference
    engine = ProcessEngine(
        registry,
        device=inference.device,
        timeout_s=inference.timeout_s,
        min_confidence=inference.min_confidence,
        limits=RunLimits(
            memory_budget_mb=inference.memory_budget_mb,
            concurrency=inference.concurrency,
            gpu_runs=inference.gpu_runs,
            batch_mb=inference.batch_mb,
        ),
        trusted=TrustStore(settings.node.data_dir).digests,
        metrics=metrics,
        warm=_routed(settings, registry),
    )
    if metrics is not None:
        metrics.watch("model_memory_bytes", "Memory of warm model processes", engine.memory_bytes, "model")
    return engine


def _routed(settings: Settings, registry: ModelRegistry) -> frozenset[str]:
    """Models that a route names, those that they are fed with, and those that are asked before them."""
    found: set[str] = set()
    wanted = [model for route in settings.routes for model in route.models]
    while wanted:
        name = wanted.pop()
        manifest = registry.models.get(name)
        if manifest is None or name in found:
            continue
        found.add(name)
        wanted += manifest.requires
        if manifest.validator is not None:
            wanted.append(manifest.validator.model)
    return frozenset(found)
