"""Temperature, threshold and the figures that training is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

from inference.training.intervals import interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """What logits are divided by so that their likelihood is greatest; between 0.2 and 10.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, https://arxiv.org/abs/1706.04599
    """

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.2, 10.0]), method="bounded").x))


def calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, over ten bins of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[places == n].mean() - right[places == n].mean()) * (places == n).mean()
        for n in range(BINS)
        if (places == n).any()
    ]
    return float(sum(gaps))


def area_under_curve(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve (Mann-Whitney); NaN where a side is empty."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def threshold_for(scores: NDArray[np.float64], positive: NDArray[np.bool_], sensitivity: float) -> float:
    """The highest threshold at which at least this share of the positive ones is found."""
    found = np.sort(scores[positive])
    if not len(found):
        return 0.5
    place = int(np.floor((1 - sensitivity) * len(found)))
    return float(np.clip(found[min(place, len(found) - 1)], 0.01, 0.99))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Logits of a split and what they are judged with.

    Attributes
    ----------
    groups
        Group of each example: the confidence interval draws whole groups.
    abnormal
        Indices of the classes that the threshold is about.
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    abnormal: tuple[int, ...]
    temperature: float = 1.0
    threshold: float = 0.5
    seed: int = 0

    def figures(self) -> dict[str, float | int | list[float] | list[list[int]]]:
        """Error rates first, then the rest, as plain numbers."""
        probabilities = softmax(self.logits / self.temperature, axis=1)
        said = probabilities.argmax(axis=1)
        size = self.logits.shape[1]
        confusion = np.zeros((size, size), dtype=int)
        np.add.at(confusion, (self.labels, said), 1)
        out: dict[str, float | int | list[float] | list[list[int]]] = {}
        if self.abnormal:
            score = probabilities[:, list(self.abnormal)].sum(axis=1)
            positive = np.isin(self.labels, self.abnormal)
            out |= self._binary(score, positive)
        out |= {
            "images": len(self.labels),
            "accuracy": _rounded(float((said == self.labels).mean())),
            "balanced_accuracy": _rounded(
                float(
                    np.mean([confusion[n, n] / confusion[n].sum() for n in range(size) if confusion[n].sum()])
                )
            ),
            "calibration_error_before": _rounded(
                calibration_error(softmax(self.logits, axis=1), self.labels)
            ),
            "calibration_error": _rounded(calibration_error(probabilities, self.labels)),
            "confusion": confusion.tolist(),
        }
        return out

    def _binary(
        self, score: NDArray[np.float64], positive: NDArray[np.bool_]
    ) -> dict[str, float | int | list[float] | list[list[int]]]:
        called = score >= self.threshold
        out: dict[str, float | int | list[float] | list[list[int]]] = {}
        if positive.any():
            out["false_negative_rate"] = _rounded(float((~called[positive]).mean()))
        if (~positive).any():
            out["false_positive_rate"] = _rounded(float(called[~positive].mean()))
        if positive.any() and (~positive).any():
            out["auc"] = _rounded(area_under_curve(score, positive))
            found = interval(
                lambda chosen: area_under_curve(score[chosen], positive[chosen]), self.groups, seed=self.seed
            )
            if found is not None:
                out["auc_95"] = [_rounded(bound) for bound in found]
        return out


def _rounded(value: float) -> float:
    return round(value, 4)
