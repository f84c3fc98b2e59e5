"""What the model process answered to a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A box in voxels of the source: its category, score, where it begins and where it ends."""

    name: str
    score: float
    box: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said of one input, checked against the manifest by the model process.

    Attributes
    ----------
    facts
        Measured, by name.
    classes
        Probability of each class.
    heat
        Method and target of the explanation, where there is one.
    arrays
        The archive of `Prediction.arrays`.
    elapsed_s
        The model's own time; of inputs that were worked on together, an equal share.
    """

    confidence: float
    facts: Mapping[str, float]
    classes: Mapping[str, float]
    boxes: tuple[FoundBox, ...]
    heat: tuple[str, str] | None
    arrays: bytes
    elapsed_s: float


def read_answer(raw: Mapping[str, Any], arrays: bytes, elapsed_s: float) -> ModelAnswer:
    """What was said of one input, as a type."""
    heat = raw["heat"]
    return ModelAnswer(
        confidence=float(raw["confidence"]),
        facts=raw["facts"],
        classes=raw["classes"],
        boxes=tuple(FoundBox(b["name"], b["score"], tuple(b["box"])) for b in raw["detections"]),
        heat=(heat[0], heat[1]) if heat else None,
        arrays=arrays,
        elapsed_s=elapsed_s,
    )
