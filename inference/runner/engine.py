"""Runs models: preprocess, gates, the model in its process, gates again."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog

from dicom_node.domain.errors import InferenceFailed, NodeError, NotFound
from dicom_node.domain.finding import Task
from dicom_node.domain.run import Assignment
from inference.contract.inputs import InputKind
from inference.gates.validator import check_validator
from inference.routing.body_part import BodyPartTable
from inference.runner import gates
from inference.runner.begun_run import BegunRun, begin_run
from inference.runner.handover import Handover
from inference.runner.host import ModelHost
from inference.runner.limits import RunLimits
from inference.runner.prediction import done, rejected
from inference.runner.source import input_of, input_of_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from dicom_node.ports.operation import Metrics
    from inference.contract.package import ModelManifest
    from inference.preprocess.volume import Volume
    from inference.registry import ModelRegistry
    from inference.runner.answer import ModelAnswer
    from inference.runner.source import RunInput

log = structlog.get_logger(__name__)


class ProcessEngine:
    """`ports.ModelEngine` with a process for each model package.

    Callers decode and gate beside each other; how many models work at once, and how many are kept warm, the
    limits say.

    Parameters
    ----------
    device
        `auto` (CUDA where there is a device), `cpu` or `cuda`.
    timeout_s
        Seconds that a model may work on one input; starting and loading have as long again.
    min_confidence
        The node's own threshold; a manifest may ask for more, never for less.
    trusted
        SHA-256 of files that the operator lets run code, asked for at each load.
    warm
        Models that are loaded ahead of the first study; `None`: all.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        device: str,
        timeout_s: float,
        min_confidence: float,
        limits: RunLimits | None = None,
        trusted: Callable[[], Collection[str]] = tuple,
        metrics: Metrics | None = None,
        warm: Collection[str] | None = None,
    ) -> None:
        self._registry = registry
        self._min_confidence = min_confidence
        self._warm = warm
        self._body_parts = BodyPartTable()
        limits = limits or RunLimits()
        self._batch_bytes = limits.batch_mb * 2**20
        self._host = ModelHost(
            device=device,
            timeout_s=timeout_s,
            limits=limits,
            trusted=trusted,
            metrics=metrics,
        )

    def run(
        self,
        assignment: Assignment,
        study: StudyInput,
        scratch: Path,
        feeds: Mapping[str, Prediction] = MappingProxyType({}),
    ) -> Prediction:
        """The batch of one; see `ports.ModelEngine.run`."""
        return self.run_batch((assignment,), study, scratch, lambda _: feeds)[0]

    def run_batch(
        self,
        assignments: Sequence[Assignment],
        study: StudyInput,
        scratch: Path,
        feeds: Callable[[Assignment], Mapping[str, Prediction]],
    ) -> tuple[Prediction, ...]:
        """Preprocess, gate, infer, gate again; see `ports.ModelEngine.run_batch`."""
        manifest = self._manifest(assignments[0].model)
        with Handover(scratch) as handover:
            begun: list[BegunRun] = []
            for assignment in assignments:
                fed = feeds(assignment)
                begun.append(begin_run(manifest, assignment, study, handover, fed, table=self._body_parts))
                if handover.voxel_bytes >= self._batch_bytes:
                    break
            return self._end(manifest, begun)

    def run_volume(
        self,
        assignment: Assignment,
        volume: Volume,
        scratch: Path,
        feeds: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> Prediction:
        """As `run`, on a volume that did not come as a series: a package's own sample, say.

        Parameters
        ----------
        feeds
            Arrays of the models that the package `requires`, by `<model>.<array>`, on the volume's grid.

        Raises
        ------
        InferenceFailed, ModelProcessFailed
        """
        manifest = self._manifest(assignment.model)
        return self._run_on(manifest, assignment, input_of(volume), scratch, feeds)

    def predict_image(
        self,
        model: str,
        image: NDArray[np.generic],
        scratch: Path,
        *,
        spacing_mm: tuple[float, float] | None = None,
    ) -> Prediction:
        """Let a classifier look at one image that is no part of a study.

        Gates that need a header or a place in the patient are left out; all others hold. A rejection is a
        prediction with its reasons. Series and source instances are empty.

        Parameters
        ----------
        image
            (rows, columns) in modality units, brighter is more, or (rows, columns, 3) red, green, blue,
            0 to 255.
        scratch
            An empty folder; nothing stays in it.
        spacing_mm
            Between rows and between columns, where it is known.

        Raises
        ------
        NotFound
            If no package is called so.
        InferenceFailed, ModelProcessFailed
        """
        manifest = self._registry.get(model)
        if manifest.task is not Task.CLASSIFICATION or manifest.input.kind is InputKind.VOLUME:
            raise InferenceFailed(f"{model} takes volumes, not single images; send it a series")
        if manifest.requires:
            raise InferenceFailed(f"{model} is fed with results of other models; send it a series")
        assignment = Assignment(model, manifest.version, "", "one image")
        given = input_of_picture(image, spacing_mm)
        return self._run_on(manifest, assignment, given, scratch, {})

    def warm_up(self) -> None:
        """Start processes and load models ahead of the first study, as many as fit; never raises."""
        for name in sorted(self._registry.models):
            if self._warm is not None and name not in self._warm:
                continue
            try:
                self._host.warm_up(self._registry.models[name])
            except NodeError as exc:
                log.warning("model.warm_up_failed", model=name, code=exc.code, reason=str(exc))

    def close(self) -> None:
        """End the model processes, in the middle of runs too."""
        self._host.pool.close()

    def processes(self) -> dict[str, int]:
        """Process ids of the models that are warm."""
        return self._host.pool.processes()

    def memory_bytes(self) -> dict[str, float]:
        """What the models' processes hold now, bytes, by model."""
        return {name: held * 2**20 for name, held in self._host.pool.memory_mb().items()}

    def _manifest(self, model: str) -> ModelManifest:
        try:
            return self._registry.get(model)
        except NotFound as exc:
            raise InferenceFailed(str(exc)) from exc

    def _run_on(
        self,
        manifest: ModelManifest,
        assignment: Assignment,
        given: RunInput,
        scratch: Path,
        feeds: Mapping[str, NDArray[Any]],
    ) -> Prediction:
        with Handover(scratch) as handover:
            begun = BegunRun(assignment, given.source)
            begun.hand_over(manifest, given, handover, feeds)
            return self._end(manifest, [begun])[0]

    def _end(self, manifest: ModelManifest, begun: Sequence[BegunRun]) -> tuple[Prediction, ...]:
        """Ask the validator, the model and the gates behind it about all that were handed over."""
        validator = manifest.validator
        if validator is not None:
            for one, answer in self._answers(self._manifest(validator.model), begun, fed=False):
                one.reasons.append(
                    check_validator(validator, answer.classes, one.assignment.series_instance_uid)
                )
        for one, answer in self._answers(manifest, begun):
            one.answer = answer
            one.reasons += gates.after(manifest, answer, self._min_confidence)
        return tuple(_prediction(manifest, one) for one in begun)

    def _answers(
        self, manifest: ModelManifest, begun: Sequence[BegunRun], *, fed: bool = True
    ) -> Iterator[tuple[BegunRun, ModelAnswer]]:
        """What a model says of the inputs that no gate refused so far."""
        asked = [one for one in begun if one.handed is not None and one.passed]
        inputs = [one.handed for one in asked if one.handed is not None]
        if not fed:
            inputs = [replace(handed, feeds=None) for handed in inputs]
        return zip(asked, self._host.infer(manifest, inputs), strict=True)


def _prediction(manifest: ModelManifest, begun: BegunRun) -> Prediction:
    if begun.answer is None or not begun.passed:
        return rejected(manifest, begun.assignment, begun.reasons, begun.source, begun.answer)
    return done(manifest, begun.assignment, begun.reasons, begun.source, begun.answer)
