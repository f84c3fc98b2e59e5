"""From the probabilities of segments to a mask."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.tasks.activation import ACTIVATIONS
from inference.tasks.components import drop_small, fill_holes, keep_largest, largest_share
from inference.tasks.rules import choice, known_keys, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LabelRules:
    """How a segmenter's output becomes a mask; `adapter.postprocessing` of a manifest.

    Attributes
    ----------
    activation
        `softmax`: the network's first channel is the background, and the likeliest channel wins. `sigmoid`:
        a channel for each segment. `none`: probabilities already, with a background where there is a channel
        more than segments.
    threshold
        A segment is there from this probability on; `None` with a background: where it is the likeliest.
    keep_largest, fill
        Of each segment only its largest piece is kept; holes in it are filled.
    min_volume_ml
        Smaller pieces are dropped.
    output
        Name of the network's output; `None` takes the first.
    """

    activation: str
    threshold: float | None
    keep_largest: bool
    fill: bool
    min_volume_ml: float
    output: str | None

    @classmethod
    def of(cls, raw: Mapping[str, Any], segments: int) -> LabelRules:
        """Read `adapter.postprocessing`.

        Raises
        ------
        InvalidModelPackage
            If a key is unknown or of the wrong kind.
        """
        known_keys(raw, "activation", "threshold", "keep_largest", "fill_holes", "min_volume_ml", "output")
        return cls(
            activation=choice(raw, "activation", ACTIVATIONS, "sigmoid" if segments == 1 else "softmax"),
            threshold=number(raw, "threshold", 0.5) if "threshold" in raw else None,
            keep_largest=bool(raw.get("keep_largest", False)),
            fill=bool(raw.get("fill_holes", False)),
            min_volume_ml=number(raw, "min_volume_ml", 0, high=1e6),
            output=raw.get("output"),
        )

    def has_background(self, channels: int, segments: int) -> bool:
        """Whether the first channel is the background.

        Raises
        ------
        InferenceFailed
            If the network's channels and the manifest's segments do not fit.
        """
        if channels == segments + 1 and self.activation != "sigmoid":
            return True
        if channels == segments and self.activation != "softmax":
            return False
        raise InferenceFailed(
            f"the network gives {channels} channels with activation {self.activation}, but the manifest"
            f" describes {segments} segments (softmax and none may have a background before them)"
        )


@dataclass(frozen=True, slots=True)
class Labelled:
    """A mask and how it came about.

    Attributes
    ----------
    mask
        uint8, 0 is background, else the segment's number.
    probability
        float32, of the likeliest segment in each voxel.
    confidence
        Mean probability inside the mask; of an empty one, that the likeliest voxel is indeed none.
    largest_component
        Share of the mask in its largest piece before it was cleaned.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    confidence: float
    largest_component: float


def label(
    channels: Iterable[NDArray[np.float32]], rules: LabelRules, *, background: bool, voxel_ml: float | None
) -> Labelled:
    """Decide for each voxel which segment it belongs to.

    Parameters
    ----------
    channels
        Probabilities, one array of the same shape after the other, so that not all need be in memory.
    voxel_ml
        Of one voxel; `None` where it is not known, and then no piece is too small.
    """
    least = rules.threshold if rules.threshold is not None else (None if background else 0.5)
    rest = iter(channels)
    first = next(rest, None)
    if first is None:
        raise InferenceFailed("the network gave no channel")
    mask = np.zeros(first.shape, np.uint8)
    probability = np.zeros(first.shape, np.float32)
    best = first.copy() if background and least is None else np.zeros(first.shape, np.float32)
    for segment, channel in enumerate(rest if background else chain([first], rest), 1):
        wins = channel > best if least is None else (channel > best) & (channel >= least)
        mask[wins] = segment
        best = np.where(wins, channel, best)
        np.maximum(probability, channel, out=probability)
    share = largest_share(mask > 0)
    mask = _cleaned(mask, rules, voxel_ml)
    inside = mask > 0
    confidence = float(probability[inside].mean()) if inside.any() else 1 - float(probability.max(initial=0))
    return Labelled(mask, probability, min(1.0, max(0.0, confidence)), share)


def _cleaned(mask: NDArray[np.uint8], rules: LabelRules, voxel_ml: float | None) -> NDArray[np.uint8]:
    least = round(rules.min_volume_ml / voxel_ml) if voxel_ml else 0
    if not (rules.keep_largest or rules.fill or least > 1):
        return mask
    cleaned = np.zeros_like(mask)
    for segment in range(1, int(mask.max(initial=0)) + 1):
        piece = drop_small(mask == segment, least)
        if rules.keep_largest:
            piece = keep_largest(piece)
        if rules.fill:
            piece = fill_holes(piece)
        cleaned[piece & (cleaned == 0)] = segment
    return cleaned
