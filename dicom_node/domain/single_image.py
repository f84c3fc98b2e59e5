"""One image that somebody asks a model about, outside of any study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicom_node.domain.finding import ClassFinding, Code, Prediction
    from dicom_node.domain.run import RejectionKind


@dataclass(frozen=True, slots=True)
class ImageModel:
    """A model that takes single images.

    Attributes
    ----------
    modalities, body_parts
        What it was made for.
    classes
        What it can say: name and label, and whether it is a finding.
    explains
        Whether it shows where its decision comes from.
    min_confidence
        Below it, it says nothing.
    """

    name: str
    version: str
    title: str
    is_ai: bool
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    colour: bool
    classes: tuple[tuple[str, str, bool], ...]
    explains: bool
    min_confidence: float
    intended_use: str
    limits: tuple[str, ...]
    notices: tuple[str, ...]
    licence: str


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is, without anything that names a person.

    Attributes
    ----------
    format
        `PNG`, `JPEG` or `DICOM`.
    spacing_mm
        Between rows and between columns, where it is known.
    attributes
        Of a DICOM image: keyword to value, of those that hold codes and numbers only.
    """

    format: str
    rows: int
    columns: int
    colour: bool
    spacing_mm: tuple[float, float] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImageGuess:
    """What the node takes an image for.

    Attributes
    ----------
    model
        Whose guess it is, or `None` where no model is there for that.
    classes
        The likeliest first; empty where there is no guess.
    why_not
        Why there is none.
    """

    model: str | None
    classes: tuple[ClassFinding, ...] = ()
    why_not: str | None = None


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """What a model says of an image.

    Attributes
    ----------
    codes
        For each kind of refusal among the prediction's reasons: the node's own code for it, and the
        standard's nearest.
    seconds
        By part of the work: `decode`, `model`, `total`.
    """

    model: ImageModel
    image: ImageFacts
    prediction: Prediction
    codes: Mapping[RejectionKind, tuple[Code, Code]]
    seconds: Mapping[str, float]
