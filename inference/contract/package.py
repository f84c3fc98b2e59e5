"""A valid model package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dicom_node.domain.finding import Code, ModelIdentity, ParametricMap, Task
    from inference.contract.card import ModelCard, Sample, WeightFile
    from inference.contract.inputs import GateLimit, InputRequirements, Validator
    from inference.contract.outputs import (
        ClassificationOutput,
        ExplanationRequest,
        OutputDetection,
        OutputMeasurement,
        OutputSegment,
    )


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """How the package is run.

    Attributes
    ----------
    kind
        `python` (installed code), `network` (weights of an architecture of `inference.networks`),
        `torchscript`, `onnx`, `monai-bundle`.
    target
        `python`: `module:Class` that implements `inference.runner.adapter.Adapter`; `network`: the
        architecture's name; `monai-bundle`: the bundle's folder in the package.
    parameters
        Of the kind: the architecture's own, names of inputs and outputs, ...
    preprocessing, postprocessing
        For all but `python`; see `inference.tasks`.
    """

    kind: str
    target: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    postprocessing: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A valid model package.

    Attributes
    ----------
    folder
        Where `model.yaml` lies.
    label
        Template of the finding's text; `{fact}` names are filled in with measured facts.
    min_confidence
        Below it a run is rejected; the node's own setting may ask for more.
    memory_mb
        What a run needs at its peak, in MiB.
    measurements
        Of the whole series, for models without segments or besides them.
    classification, detections, maps, explanation
        What it gives, by task.
    region
        Where in the body a finding without a segment is.
    requires
        Models whose predictions it is fed with.
    validator
        Asked before.
    reference
        File of the package with statistics of the images that it learned from (`inference.gates.reference`).
    time_limit_s
        For one run; the node's own limit holds too.
    half_precision
        Whether it may run in half precision on a GPU.
    """

    identity: ModelIdentity
    task: Task
    licence: str
    card: ModelCard
    weights: tuple[WeightFile, ...]
    input: InputRequirements
    gates_before: tuple[GateLimit, ...]
    gates_after: tuple[GateLimit, ...]
    label: str
    segments: tuple[OutputSegment, ...]
    min_confidence: float
    memory_mb: int
    adapter: AdapterSpec
    samples: tuple[Sample, ...]
    folder: Path
    measurements: tuple[OutputMeasurement, ...] = ()
    classification: ClassificationOutput | None = None
    detections: tuple[OutputDetection, ...] = ()
    maps: tuple[ParametricMap, ...] = ()
    explanation: ExplanationRequest | None = None
    region: Code | None = None
    requires: tuple[str, ...] = ()
    validator: Validator | None = None
    reference: str | None = None
    time_limit_s: float | None = None
    half_precision: bool = False

    @property
    def name(self) -> str:
        """Its name, unique in a registry."""
        return self.identity.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.identity.version

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        return self.identity.title

    def describe(self, facts: Mapping[str, float | str]) -> str:
        """The finding's text with the measured facts filled in."""
        return self.label.format_map(dict(facts))
