"""What a model gives, with its codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.finding import Code


@dataclass(frozen=True, slots=True)
class OutputMeasurement:
    """A number that the model's output is reported as: a measured fact with its codes."""

    fact: str
    name: Code
    unit: Code
    digits: int


@dataclass(frozen=True, slots=True)
class OutputSegment:
    """One value of the mask, with the codes that the objects carry (PS3.16 CID 7150, 7151, 4031)."""

    number: int
    label: str
    category: Code
    type: Code
    anatomic_region: Code | None
    cielab: tuple[float, float, float]
    measurements: tuple[OutputMeasurement, ...]


@dataclass(frozen=True, slots=True)
class OutputClass:
    """One class of a classifier.

    Attributes
    ----------
    abnormal
        Whether it is a finding and not the lack of one.
    threshold
        Multi-label: from this probability on it is there.
    """

    name: str
    label: str
    code: Code
    abnormal: bool = True
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class ClassificationOutput:
    """What a classifier says.

    Attributes
    ----------
    mode
        `multi-class` (one of them; binary is two) or `multi-label` (each by its own threshold).
    classes
        In the order of the network's outputs.
    abnormal_threshold
        Multi-class: the abnormal classes together reach it, or the finding is "none". `None`: the likeliest
        class wins.
    temperature
        Logits are divided by it (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
    aggregation
        Of slices to the series: `mean`, `max`, or `top-k` (mean of the `top_k` most abnormal).
    min_agreement
        Share of slices that must say the same as the whole.
    """

    mode: str
    classes: tuple[OutputClass, ...]
    abnormal_threshold: float | None = None
    temperature: float = 1.0
    aggregation: str = "mean"
    top_k: int = 3
    min_agreement: float = 0.0


@dataclass(frozen=True, slots=True)
class OutputDetection:
    """A category of boxes that a detector gives."""

    name: str
    label: str
    code: Code
    anatomic_region: Code | None
    cielab: tuple[float, float, float]
    min_score: float = 0.5


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """How a classifier's decision is explained.

    Attributes
    ----------
    method
        `grad-cam`, `grad-cam++`, `layer-cam`, `occlusion`, `integrated-gradients`.
    layers
        Names of layers in the network, for the CAM methods; none takes the last one with a spatial grid. Of
        several, the evidence is where all of them have it.
    slices
        How many slices, those that speak most for the finding.
    """

    method: str
    layers: tuple[str, ...] = ()
    slices: int = 3
