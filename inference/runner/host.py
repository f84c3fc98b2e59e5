"""Starts model processes, loads models into them, and asks them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage, ModelProcessFailed
from inference.installed_files import check_sha256, find_weight
from inference.runner.answer import ModelAnswer, read_answer
from inference.runner.pool import ModelPool
from inference.runner.process import ModelProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dicom_node.ports.operation import Metrics
    from inference.contract.package import ModelManifest
    from inference.runner.handover import HandedInput
    from inference.runner.limits import RunLimits
    from inference.runner.pool import Seat

log = structlog.get_logger(__name__)

GPU = "cuda"


class ModelHost:
    """Runs models in processes of their own, within limits.

    Where a process dies, runs out of time or of memory, that run fails and the next one starts a new one.

    Parameters
    ----------
    device
        `auto` (CUDA where there is a device), `cpu` or `cuda`.
    timeout_s
        Seconds that a model may work on one input, and that loading may take.
    trusted
        SHA-256 of files that may run code; asked anew at each load.
    """

    def __init__(
        self,
        *,
        device: str,
        timeout_s: float,
        limits: RunLimits,
        trusted: Callable[[], Collection[str]],
        metrics: Metrics | None,
    ) -> None:
        self._device = device
        self._limits = limits
        self._trusted = trusted
        self._metrics = metrics
        self.timeout_s = timeout_s
        self.pool = ModelPool(limits, on_gpu=device != "cpu", evicted=self._evicted)

    def infer(self, manifest: ModelManifest, inputs: Sequence[HandedInput]) -> tuple[ModelAnswer, ...]:
        """Let a model work on inputs together; an answer for each, in their order.

        It has the time limit of one run for each of them. Where one fails, all do.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """
        if not inputs:
            return ()
        answer = self._ask(manifest, [handed.request for handed in inputs])
        share_s = float(answer["elapsed_s"]) / len(inputs)
        try:
            return tuple(
                read_answer(raw, handed.arrays.read_bytes(), share_s)
                for raw, handed in zip(answer["answers"], inputs, strict=True)
            )
        except OSError as exc:
            raise ModelProcessFailed(f"arrays cannot be handed over ({exc.strerror})") from exc

    def warm_up(self, manifest: ModelManifest) -> None:
        """Start a model's process and load it, where that ends no other.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """
        if self.pool.has_room(manifest):
            with self.pool.lease(manifest) as seat:
                self._ready(seat, manifest)

    def _ask(self, manifest: ModelManifest, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        asked = time.perf_counter()
        with self.pool.lease(manifest) as seat:
            self._observe("model_wait_seconds", time.perf_counter() - asked, manifest)
            process = self._ready(seat, manifest)
            limit_s = len(inputs) * min(self.timeout_s, manifest.time_limit_s or self.timeout_s)
            most = self._limits.most_mb(manifest.memory_mb, gpu=self.pool.on_gpu)
            if len(inputs) > 1:
                # Those that wait for a batch to fill lie in memory beside the one that is worked on.
                most += self._limits.batch_mb
            answer = self._answered(process, manifest, {"do": "run", "inputs": inputs}, limit_s, most)
            if process.memory_mb > self._limits.resting_mb(manifest.memory_mb, gpu=self.pool.on_gpu):
                log.warning("model.process_retired", model=manifest.name, rss_mb=process.memory_mb)
                seat.end()
        log.info(
            "model.run",
            model=manifest.name,
            count=len(inputs),
            elapsed_ms=round(answer["elapsed_s"] * 1000),
            rss_mb=answer["peak_mb"],
        )
        return answer

    def _ready(self, seat: Seat, manifest: ModelManifest) -> ModelProcess:
        """A live process with the model loaded. The seat is leased."""
        if seat.is_warm and seat.process is not None:
            return seat.process
        seat.end()
        process = ModelProcess(self._device, self._limits.threads)
        self.pool.begin(seat, process)
        started = time.perf_counter()
        answer = self._load(process, manifest)
        seat.loaded = True
        self.pool.on_gpu = answer["device"] == GPU
        self._count("model_loads", manifest.name)
        self._observe("model_load_seconds", time.perf_counter() - started, manifest)
        log.info(
            "model.loaded",
            model=manifest.name,
            device=answer["device"],
            elapsed_ms=round(answer["elapsed_s"] * 1000),
        )
        return process

    def _load(self, process: ModelProcess, manifest: ModelManifest) -> dict[str, Any]:
        weights = {}
        try:
            for weight in manifest.weights:
                path = find_weight(manifest, weight)
                check_sha256(path, weight.sha256)
                weights[weight.role] = str(path)
        except InvalidModelPackage as exc:
            raise InferenceFailed(f"{manifest.name}: {exc}") from exc
        request = {
            "do": "load",
            "folder": str(manifest.folder),
            "weights": weights,
            "trusted": sorted(self._trusted()),
        }
        return self._answered(process, manifest, request, self.timeout_s, None)

    def _answered(
        self,
        process: ModelProcess,
        manifest: ModelManifest,
        request: dict[str, Any],
        timeout_s: float,
        limit_mb: int | None,
    ) -> dict[str, Any]:
        try:
            return process.ask(request, timeout_s, limit_mb)
        except ModelProcessFailed as exc:
            self._count("model_process_deaths", manifest.name)
            log.warning("model.process_ended", model=manifest.name, reason=str(exc))
            raise

    def _evicted(self, model: str) -> None:
        self._count("model_evictions", model)
        log.info("model.evicted", model=model)

    def _count(self, name: str, model: str) -> None:
        if self._metrics is not None:
            self._metrics.count(name, model=model)

    def _observe(self, name: str, seconds: float, manifest: ModelManifest) -> None:
        if self._metrics is not None:
            self._metrics.observe(name, seconds, model=manifest.name)
