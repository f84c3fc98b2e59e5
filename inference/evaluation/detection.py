"""Figures of a detector, the false negative rate first, then what its hits cost in false boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.training.intervals import RESAMPLINGS, interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Box = tuple[float, float, float, float, float, float]

#: Overlaps that sensitivity is told at besides the one that was asked for.
OVERLAPS = (0.1, 0.3, 0.5, 0.7)
#: False positives a study at which the mean sensitivity of the FROC curve is taken.
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
#: So much of a slice makes a box lie on it.
_ON_SLICE = 0.5


@dataclass(frozen=True, slots=True)
class BoxedCase:
    """What was found in one series, and what is there.

    Attributes
    ----------
    patient
        As a number.
    boxes
        Category, score and box of each found.
    references
        Category and box of each that is there; boxes as in `Detection.box`.
    """

    patient: int
    boxes: tuple[tuple[int, float, Box], ...]
    references: tuple[tuple[int, Box], ...]


@dataclass(frozen=True, slots=True)
class _Matched:
    """Score of each box of a category and whether it hits, by series, and how many there are to hit."""

    scores: tuple[NDArray[np.float64], ...]
    hits: tuple[NDArray[np.bool_], ...]
    there: NDArray[np.int64]

    @property
    def found(self) -> NDArray[np.int64]:
        return np.array([int(hits.sum()) for hits in self.hits], dtype=np.int64)

    @property
    def false(self) -> NDArray[np.int64]:
        return np.array([int((~hits).sum()) for hits in self.hits], dtype=np.int64)


def judge_boxes(
    cases: Sequence[BoxedCase],
    categories: Sequence[str],
    *,
    overlap: float,
    seed: int = 0,
    resamplings: int = RESAMPLINGS,
) -> dict[str, Any]:
    """All figures of a detector by category, as plain numbers.

    The surer a box is, the earlier it takes the reference that it overlaps most, if by enough; each reference
    is taken once, so that a second box on it is a false one. Studies without findings count for the false
    ones.

    Parameters
    ----------
    overlap
        Least intersection over union of a hit, see `intersection_over_union`.

    References
    ----------
    Bandos et al., Area under the free-response ROC curve (FROC) and a related summary index, Biometrics 2009;
    Setio et al., Validation, comparison, and combination of algorithms for automatic detection of pulmonary
    nodules, Med Image Anal 2017 (mean sensitivity at seven rates)
    """
    if not cases:
        return {name: {"cases": 0} for name in categories}
    patients = np.array([case.patient for case in cases], dtype=np.int64)
    figures = {}
    for index, name in enumerate(categories):
        matched = _match(cases, index, overlap)

        def within(figure: Callable[[NDArray[np.intp]], float]) -> list[float] | None:
            found = interval(figure, patients, seed=seed, resamplings=resamplings)
            return None if found is None else [round(found[0], 4), round(found[1], 4)]

        figures[name] = _of_category(matched, overlap, within) | {
            "sensitivity_by_overlap": {
                str(other): _rounded(_share(_match(cases, index, other).found, matched.there))
                for other in OVERLAPS
            }
        }
    return figures


def intersection_over_union(found: Box, reference: Box) -> float:
    """How far two boxes are one; 0 to 1.

    A reference on one slice is compared on this slice alone: people mark a finding where it is largest.
    """
    low = np.maximum(found[:3], reference[:3])
    high = np.minimum(found[3:], reference[3:])
    axes = slice(0, 3)
    if reference[3] - reference[0] <= 1:
        if high[0] - low[0] < _ON_SLICE:
            return 0.0
        axes = slice(1, 3)
    both = float(np.prod(np.maximum(high - low, 0)[axes]))
    sizes = [np.prod((np.array(box[3:]) - np.array(box[:3]))[axes]) for box in (found, reference)]
    return both / (float(sum(sizes)) - both) if both else 0.0


def froc(matched: _Matched, chosen: NDArray[np.intp]) -> list[tuple[float, float]]:
    """False positives a study and sensitivity at every score, from the surest on."""
    there = int(matched.there[chosen].sum())
    scores = np.concatenate([matched.scores[n] for n in chosen]) if len(chosen) else np.zeros(0)
    hits = np.concatenate([matched.hits[n] for n in chosen]) if len(chosen) else np.zeros(0, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    ranked, values = hits[order], scores[order]
    # Boxes of one score come in together.
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1) if len(values) else np.zeros(0, int)
    found, false = np.cumsum(ranked)[last], np.cumsum(~ranked)[last]
    points = zip((false / len(chosen)).tolist(), (found / max(there, 1)).tolist(), strict=True)
    return [(0.0, 0.0), *points]


def mean_sensitivity(curve: Sequence[tuple[float, float]]) -> float:
    """Mean of what a FROC curve reaches at `RATES`."""
    return float(np.mean([max(found for false, found in curve if false <= rate) for rate in RATES]))


def _of_category(
    matched: _Matched,
    overlap: float,
    within: Callable[[Callable[[NDArray[np.intp]], float]], list[float] | None],
) -> dict[str, Any]:
    there, found, false = matched.there, matched.found, matched.false
    everything = np.arange(len(there))
    curve = froc(matched, everything)
    every = max(1, len(curve) // 200)

    def missed(chosen: NDArray[np.intp]) -> float:
        return 1 - _share(found[chosen], there[chosen])

    def mean(chosen: NDArray[np.intp]) -> float:
        return mean_sensitivity(froc(matched, chosen)) if there[chosen].any() else float("nan")

    return {
        "false_negative_rate": _rounded(missed(everything)),
        "false_negative_rate_95": within(missed),
        "sensitivity": _rounded(1 - missed(everything)),
        "overlap": overlap,
        "false_positives_per_study": _rounded(false.mean()),
        "false_positives_per_study_95": within(lambda chosen: float(false[chosen].mean())),
        "positive_predictive_value": _rounded(_share(found, found + false)),
        "mean_sensitivity": _rounded(mean(everything)),
        "mean_sensitivity_95": within(mean),
        "cases": len(there),
        "with_findings": int((there > 0).sum()),
        "findings": int(there.sum()),
        "boxes": int((found + false).sum()),
        "curve": [[round(x, 4), round(y, 4)] for x, y in [*curve[:-1:every], curve[-1]]],
    }


def _match(cases: Sequence[BoxedCase], category: int, overlap: float) -> _Matched:
    scores, hits, there = [], [], []
    for case in cases:
        boxes = sorted((box for box in case.boxes if box[0] == category), key=lambda box: -box[1])
        left = [box for kind, box in case.references if kind == category]
        there.append(len(left))
        told = []
        for _, _, box in boxes:
            overlaps = [intersection_over_union(box, reference) for reference in left]
            hit = bool(overlaps) and max(overlaps) >= overlap
            if hit:
                left.pop(int(np.argmax(overlaps)))
            told.append(hit)
        scores.append(np.array([score for _, score, _ in boxes], dtype=np.float64))
        hits.append(np.array(told, dtype=bool))
    return _Matched(tuple(scores), tuple(hits), np.array(there, dtype=np.int64))


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else float("nan")


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
