"""What a model package says of itself: `model.yaml` as frozen types.

`inference/model.schema.json` holds the same contract for files; `inference.manifest` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dicom_node.domain.finding import Code, ModelIdentity


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What people must know of a model.

    Attributes
    ----------
    intended_use, training, confidence
        What it is for, what it was trained on, and what its confidence means.
    limits
        Where it fails or was never tried.
    notices
        Sentences that go into every report.
    references
        Publications and sources.
    """

    intended_use: str
    training: str
    confidence: str
    limits: tuple[str, ...]
    notices: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights.

    Attributes
    ----------
    role
        What the adapter calls it.
    distribution
        Installed Python distribution that holds the file, or `None` where it lies in the package.
    path
        Inside that distribution (as its RECORD names it), or relative to the package folder.
    sha256
        Hexadecimal.
    """

    role: str
    distribution: str | None
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InputRequirements:
    """What a series must be for the model to be tried on it.

    Attributes
    ----------
    body_parts
        Names of `inference.routing.body_part`; a part of one of them fits too.
    contrast
        Weighting of MR images that the model was trained on (`T1`), or `None`.
    min_slices, max_slices
        Slices of the series.
    max_voxels
        Of the whole volume; what the model's memory allows.
    spacing_mm
        Smallest and largest distance of neighbouring voxels, along any axis.
    min_coverage_mm
        Smallest extent of the volume along each of its axes.
    min_age_years
        Age of the patient, where the series tells it.
    """

    modalities: tuple[str, ...]
    sop_classes: tuple[str, ...]
    body_parts: tuple[str, ...]
    contrast: str | None
    min_slices: int
    max_slices: int
    max_voxels: int
    spacing_mm: tuple[float, float]
    min_coverage_mm: float
    min_age_years: int | None


@dataclass(frozen=True, slots=True)
class GateLimit:
    """The range in which a measured fact must lie; `None` is open.

    Attributes
    ----------
    fact
        Name in `inference.gates.measure` or among the adapter's own facts.
    text
        What the fact is, for people.
    """

    fact: str
    text: str
    at_least: float | None
    at_most: float | None


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
class Sample:
    """An input that the package is tried on by `models check`, and what must come out.

    Attributes
    ----------
    distribution, path
        A NIfTI file of an installed distribution.
    fact, expected
        A measured fact and the range that it must lie in.
    """

    distribution: str
    path: str
    sha256: str
    fact: str
    expected: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A valid model package.

    Attributes
    ----------
    folder
        Where `model.yaml` lies.
    label
        Template of the finding's text; `{fact}` names are filled in with measured facts.
    adapter
        `module:Class` of installed code that implements `inference.runner.adapter.Adapter`.
    min_confidence
        Below it a run is rejected; the node's own setting may ask for more.
    memory_mb
        What a run needs at its peak, in MiB.
    """

    identity: ModelIdentity
    task: str
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
    adapter: str
    sample: Sample | None
    folder: Path

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

    def describe(self, facts: Mapping[str, float]) -> str:
        """The finding's text with the measured facts filled in."""
        return self.label.format_map(dict(facts))
