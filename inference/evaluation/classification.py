"""Figures of a classifier, the false negative rate first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.training.calibration import BINS, area_under_curve, calibration_error
from inference.training.intervals import RESAMPLINGS, interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from inference.contract.outputs import ClassificationOutput

    _Figure = Callable[[NDArray[np.intp]], float]
    _Within = Callable[[_Figure], list[float] | None]

#: A subgroup with fewer cases is marked: its figures say little.
SMALL_GROUP = 30
#: So many values of an attribute make subgroups, those that most cases have.
MOST_SUBGROUPS = 20


@dataclass(frozen=True, slots=True)
class ClassifiedCases:
    """What was said of cases whose class is known.

    Attributes
    ----------
    classes
        Names, in the order of the columns of `probability`.
    probability
        (cases, classes), calibrated as served.
    labels
        Index of the true class of each case.
    groups
        Patient of each case, as a number; one of its own where it is not known.
    abnormal
        Indices of the classes that are a finding; what the binary figures are about.
    threshold
        The abnormal classes together reach it, or the case is called normal.
    """

    classes: tuple[str, ...]
    probability: NDArray[np.float64]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    abnormal: tuple[int, ...]
    threshold: float

    def of(self, chosen: NDArray[np.bool_]) -> ClassifiedCases:
        """Some of the cases."""
        return ClassifiedCases(
            self.classes,
            self.probability[chosen],
            self.labels[chosen],
            self.groups[chosen],
            self.abnormal,
            self.threshold,
        )

    @property
    def score(self) -> NDArray[np.float64]:
        """Probability of any abnormal class."""
        return np.asarray(self.probability[:, list(self.abnormal)].sum(axis=1))

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Whether the case is abnormal."""
        return np.isin(self.labels, self.abnormal)


def judge(cases: ClassifiedCases, *, seed: int = 0, resamplings: int = RESAMPLINGS) -> dict[str, Any]:
    """All figures of some cases, as plain numbers; empty where there are none."""
    if not len(cases.labels):
        return {"cases": 0}

    def within(figure: _Figure) -> list[float] | None:
        found = interval(figure, cases.groups, seed=seed, resamplings=resamplings)
        return None if found is None else [round(found[0], 4), round(found[1], 4)]

    figures: dict[str, Any] = {}
    if cases.abnormal and len(cases.abnormal) < len(cases.classes):
        figures["binary"] = _binary(cases, within)
    said = cases.probability.argmax(axis=1)
    right = said == cases.labels
    confusion = np.zeros((len(cases.classes),) * 2, dtype=int)
    np.add.at(confusion, (cases.labels, said), 1)
    recalls = [confusion[n, n] / confusion[n].sum() for n in range(len(cases.classes)) if confusion[n].sum()]
    return figures | {
        "cases": len(cases.labels),
        "small": len(cases.labels) < SMALL_GROUP,
        "accuracy": _rounded(right.mean()),
        "accuracy_95": within(lambda chosen: float(right[chosen].mean())),
        "balanced_accuracy": _rounded(np.mean(recalls)),
        "classes": [_one_against_rest(cases, index, said, within) for index in range(len(cases.classes))],
        "confusion": confusion.tolist(),
        "calibration": calibration(cases),
    }


def calibration(cases: ClassifiedCases) -> dict[str, Any]:
    """Expected calibration error, Brier score, and the reliability diagram's bins."""
    confidence = cases.probability.max(axis=1)
    right = cases.probability.argmax(axis=1) == cases.labels
    truth = np.eye(len(cases.classes))[cases.labels]
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        {
            "confidence": _rounded(confidence[places == n].mean()),
            "accuracy": _rounded(right[places == n].mean()),
            "cases": int((places == n).sum()),
        }
        for n in range(BINS)
        if (places == n).any()
    ]
    return {
        "expected_calibration_error": _rounded(calibration_error(cases.probability, cases.labels)),
        "brier": _rounded(((cases.probability - truth) ** 2).sum(axis=1).mean()),
        "bins": bins,
    }


def roc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> list[tuple[float, float, float]]:
    """False positive rate, sensitivity and threshold, from (0, 0) to (1, 1)."""
    thresholds = np.unique(score)[::-1]
    ordered, ordered_others = np.sort(score[positive]), np.sort(score[~positive])
    points = [(0.0, 0.0, float("inf"))]
    for threshold in thresholds:
        found = ordered.size - np.searchsorted(ordered, threshold)
        wrong = ordered_others.size - np.searchsorted(ordered_others, threshold)
        points.append((wrong / max(ordered_others.size, 1), found / max(ordered.size, 1), float(threshold)))
    return points


def curve_of(cases: ClassifiedCases) -> list[list[float]]:
    """Some two hundred points of the ROC curve of abnormal against normal; empty where there is none."""
    if not len(cases.labels) or not cases.abnormal or len(cases.abnormal) == len(cases.classes):
        return []
    points = roc(cases.score, cases.positive)
    every = max(1, len(points) // 200)
    return [[round(x, 4), round(y, 4)] for x, y, _ in [*points[::every], points[-1]]]


def subgroups_of(
    cases: ClassifiedCases, attributes: Mapping[str, Sequence[str]], *, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """The figures of the cases of each value of each attribute, where there are several.

    Parameters
    ----------
    attributes
        The value of each case, by the attribute's name; empty where it is not known.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, values in attributes.items():
        told = np.array(values)
        most = [value for value, _ in Counter(values).most_common(MOST_SUBGROUPS) if value]
        if len(most) > 1:
            found[name] = {value: judge(cases.of(told == value), seed=seed) for value in sorted(most)}
    return found


def threshold_of(output: ClassificationOutput) -> float:
    """From which probability on the abnormal classes together make a case abnormal."""
    return 0.5 if output.abnormal_threshold is None else output.abnormal_threshold


def _binary(cases: ClassifiedCases, within: _Within) -> dict[str, Any]:
    score, positive = cases.score, cases.positive
    called = score >= cases.threshold
    counts = _counts(called, positive)

    def over(figure: str) -> list[float] | None:
        return within(lambda chosen: _rates(_counts(called[chosen], positive[chosen]))[figure])

    rates = _rates(counts)
    return {
        "false_negative_rate": _rounded(rates["false_negative_rate"]),
        "false_negative_rate_95": over("false_negative_rate"),
        "sensitivity": _rounded(rates["sensitivity"]),
        "specificity": _rounded(rates["specificity"]),
        "specificity_95": over("specificity"),
        "positive_predictive_value": _rounded(rates["positive_predictive_value"]),
        "negative_predictive_value": _rounded(rates["negative_predictive_value"]),
        "f1": _rounded(rates["f1"]),
        "auc": _rounded(area_under_curve(score, positive)),
        "auc_95": within(lambda chosen: area_under_curve(score[chosen], positive[chosen])),
        "average_precision": _rounded(average_precision(score, positive)),
        "prevalence": _rounded(positive.mean()),
        "threshold": _rounded(cases.threshold),
        "counts": counts,
    }


def average_precision(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve, by steps; NaN where nothing is positive."""
    if not positive.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ranked, values = positive[order], score[order]
    found = np.cumsum(ranked)
    # Cases with one score come in together.
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    precision, recall = found[last] / (last + 1), found[last] / found[-1]
    return float((np.diff(np.insert(recall, 0, 0.0)) * precision).sum())


def _one_against_rest(
    cases: ClassifiedCases, index: int, said: NDArray[np.int64], within: _Within
) -> dict[str, Any]:
    positive, called = cases.labels == index, said == index
    score = cases.probability[:, index]
    rates = _rates(_counts(called, positive))
    return {
        "class": cases.classes[index],
        "cases": int(positive.sum()),
        "false_negative_rate": _rounded(rates["false_negative_rate"]),
        "sensitivity": _rounded(rates["sensitivity"]),
        "specificity": _rounded(rates["specificity"]),
        "positive_predictive_value": _rounded(rates["positive_predictive_value"]),
        "f1": _rounded(rates["f1"]),
        "auc": _rounded(area_under_curve(score, positive)),
        "auc_95": within(lambda chosen: area_under_curve(score[chosen], positive[chosen])),
    }


def _counts(called: NDArray[np.bool_], positive: NDArray[np.bool_]) -> dict[str, int]:
    return {
        "true_positive": int((called & positive).sum()),
        "false_negative": int((~called & positive).sum()),
        "false_positive": int((called & ~positive).sum()),
        "true_negative": int((~called & ~positive).sum()),
    }


def _rates(counts: dict[str, int]) -> dict[str, float]:
    found, missed = counts["true_positive"], counts["false_negative"]
    wrong, spared = counts["false_positive"], counts["true_negative"]
    return {
        "false_negative_rate": _share(missed, found + missed),
        "sensitivity": _share(found, found + missed),
        "specificity": _share(spared, spared + wrong),
        "positive_predictive_value": _share(found, found + wrong),
        "negative_predictive_value": _share(spared, spared + missed),
        "f1": _share(2 * found, 2 * found + wrong + missed),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _rounded(value: Any) -> float | None:
    """Four digits; `None` (JSON has no NaN) where a figure has no meaning."""
    return round(float(value), 4) if np.isfinite(value) else None
