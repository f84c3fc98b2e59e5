"""What a model takes, and what is asked before and after it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class InputKind(StrEnum):
    """What a model is given."""

    #: A whole series as one volume.
    VOLUME = "volume"
    #: Chosen slices of a volume, each looked at alone.
    SLICES = "slices"
    #: Single images, geometry or not: projections, captures, photographs.
    IMAGE = "image"


@dataclass(frozen=True, slots=True)
class SliceSelection:
    """Which slices of a volume a model of `InputKind.SLICES` is given.

    Attributes
    ----------
    orientation
        `axial`, `coronal`, `sagittal`: the volume is cut along it, whatever way it was acquired; `acquired`
        takes the slices as they are.
    span
        From where to where along the part of the volume that is not air, 0 to 1, ascending in LPS.
    count
        At most so many, evenly spread.
    """

    orientation: str = "acquired"
    span: tuple[float, float] = (0.0, 1.0)
    count: int = 16


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
    kind
        A volume, slices of one, or single images; the last need no geometry.
    selection
        For slices.
    sequences
        MR sequence types that it was trained on (`T1`, `T1CE`, `T2`, `FLAIR`, `DWI`...); empty takes all that
        `contrast` lets through.
    contrast_agent
        Whether one must (`True`) or must not (`False`) have been given; `None` takes both.
    orientations
        `axial`, `coronal`, `sagittal`, `oblique`; empty takes all.
    views, lateralities
        Of projection images (`PA`, `AP`, `LL`, `MLO`...; `L`, `R`, `B`); empty takes all.
    kernels
        CT: `soft`, `lung`, `bone`; empty takes all.
    colour
        Whether RGB images are taken (as red, green, blue).
    max_missing_slices
        So many slices inside a volume may be filled in from their neighbours; with more it is refused.
    unit
        `HU` or `SUVbw`: voxels are given in it, or the series is refused. `None` takes modality units.
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
    kind: InputKind = InputKind.VOLUME
    selection: SliceSelection = field(default_factory=SliceSelection)
    sequences: tuple[str, ...] = ()
    contrast_agent: bool | None = None
    orientations: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    lateralities: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    colour: bool = False
    max_missing_slices: int = 0
    unit: str | None = None


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
class Validator:
    """A model that is asked first whether the image is one that this model was made for.

    Attributes
    ----------
    model
        Its package: a classifier.
    accept
        Names of its classes that pass.
    min_probability
        That they reach together.
    """

    model: str
    accept: tuple[str, ...]
    min_probability: float = 0.5
