"""What a classifier says, from the probabilities of its classes. Pure NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.contract.outputs import ClassificationOutput

MULTI_LABEL = "multi-label"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one image or of a whole series.

    Attributes
    ----------
    present
        For each class of the manifest, whether it is said to be there.
    said
        Index of the class that the label names: the one that is there, of several the likeliest; where none
        is, the least unlikely.
    confidence
        Probability of what is said, 0 to 1. Multi-class: of the class that won; where `abnormal_threshold`
        decided, of all classes on that side together. Multi-label: of the likeliest class that is there, or
        that the likeliest of those that are not is indeed absent.
    """

    present: tuple[bool, ...]
    said: int
    confidence: float


@dataclass(frozen=True, slots=True)
class SeriesVerdict:
    """The same of a series of slices.

    Attributes
    ----------
    probability
        float64 (classes,), of the whole.
    agreement
        Share of the slices that count (all; of `top-k` those k; of `max` the one) that say the same as the
        whole; of several labels, the mean of their shares.
    """

    probability: NDArray[np.float64]
    verdict: Verdict
    agreement: float


def decide(output: ClassificationOutput, probability: Sequence[float] | NDArray[np.floating]) -> Verdict:
    """Say which classes are there.

    Parameters
    ----------
    probability
        Of each class in the manifest's order, 0 to 1.
    """
    p = np.asarray(probability, dtype=np.float64)
    if output.mode == MULTI_LABEL:
        return _labels(output, p)
    if output.abnormal_threshold is None:
        said = int(np.argmax(p))
        confidence = float(p[said])
    else:
        abnormal = _abnormal(output)
        found = float(p[abnormal].sum()) >= output.abnormal_threshold
        side = abnormal if found else ~abnormal
        said = int(np.argmax(np.where(side, p, -1.0)))
        confidence = float(p[side].sum())
    return Verdict(tuple(index == said for index in range(len(p))), said, min(1.0, confidence))


def summarise(output: ClassificationOutput, slices: NDArray[np.floating]) -> SeriesVerdict:
    """Sum up what was said of single slices.

    Parameters
    ----------
    slices
        (slices, classes); at least one slice.
    """
    p = np.asarray(slices, dtype=np.float64)
    counted = _counted(output, p)
    whole = np.stack([p[rows, column].mean() for column, rows in enumerate(counted.T)])
    verdict = decide(output, whole)
    agreement = (
        _label_agreement(output, p, counted, verdict)
        if output.mode == MULTI_LABEL
        else float(np.mean([decide(output, p[row]).said == verdict.said for row in counted[:, 0]]))
    )
    return SeriesVerdict(whole, verdict, agreement)


def abnormal_probability(
    output: ClassificationOutput, probability: NDArray[np.floating]
) -> NDArray[np.float64]:
    """How abnormal: the sum of the abnormal classes, or of several labels the likeliest of them.

    Parameters
    ----------
    probability
        (..., classes).
    """
    abnormal = np.asarray(probability, dtype=np.float64)[..., _abnormal(output)]
    if abnormal.shape[-1] == 0:
        return np.zeros(abnormal.shape[:-1])
    together = abnormal.max(axis=-1) if output.mode == MULTI_LABEL else abnormal.sum(axis=-1)
    return np.asarray(np.minimum(together, 1.0))


def _counted(output: ClassificationOutput, p: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each class (columns) the slices (rows) whose mean is the whole's."""
    count = {"mean": len(p), "max": 1, "top-k": min(output.top_k, len(p))}[output.aggregation]
    if output.mode == MULTI_LABEL:
        return np.asarray(np.argsort(-p, axis=0, kind="stable")[:count])
    order = np.argsort(-abnormal_probability(output, p), kind="stable")[:count]
    return np.repeat(order[:, np.newaxis], p.shape[1], axis=1)


def _label_agreement(
    output: ClassificationOutput, p: NDArray[np.float64], counted: NDArray[np.intp], verdict: Verdict
) -> float:
    there = np.take_along_axis(p, counted, axis=0) >= _thresholds(output)
    return float((there == np.array(verdict.present)).mean())


def _labels(output: ClassificationOutput, p: NDArray[np.float64]) -> Verdict:
    there = p >= _thresholds(output)
    said = int(np.argmax(np.where(there, p, -1.0))) if there.any() else int(np.argmax(p))
    confidence = float(p[said]) if there.any() else 1.0 - float(p[said])
    return Verdict(tuple(bool(x) for x in there), said, confidence)


def _thresholds(output: ClassificationOutput) -> NDArray[np.float64]:
    return np.array([one.threshold for one in output.classes])


def _abnormal(output: ClassificationOutput) -> NDArray[np.bool_]:
    return np.array([one.abnormal for one in output.classes])
