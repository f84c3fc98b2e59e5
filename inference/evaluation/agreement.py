"""How far measured values lie from those of a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from inference.training.intervals import RESAMPLINGS, interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Of differences that are normally distributed, 95 % lie within so many standard deviations.
_LIMITS = 1.96


def agreement(pairs: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Bias and 95 % limits of agreement of measured against reference values.

    References
    ----------
    Bland and Altman, Statistical methods for assessing agreement, Lancet 1986
    """
    if not pairs:
        return {"cases": 0, "bias": None, "lower": None, "upper": None}
    values = np.array(pairs, dtype=np.float64)
    bias, lower, upper = _bland_altman(values[:, 0] - values[:, 1])
    return {"cases": len(pairs), "bias": bias, "lower": lower, "upper": upper}


def judge_values(
    pairs: Sequence[tuple[float, float]],
    groups: Sequence[int],
    *,
    seed: int = 0,
    resamplings: int = RESAMPLINGS,
) -> dict[str, Any]:
    """All figures of measured against reference values, with intervals that draw whole patients.

    Parameters
    ----------
    pairs
        Measured value and reference, in one unit.
    groups
        Patient of each pair.

    References
    ----------
    Bland and Altman, Statistical methods for assessing agreement, Lancet 1986; McGraw and Wong, Forming
    inferences about some intraclass correlation coefficients, Psychol Methods 1996 (case 2A, ICC(A,1))
    """
    if not pairs:
        return {"cases": 0}
    values, patients = np.array(pairs, dtype=np.float64), np.array(groups, dtype=np.int64)
    differences = values[:, 0] - values[:, 1]

    def within(figure: Callable[[NDArray[np.intp]], float]) -> list[float] | None:
        found = interval(figure, patients, seed=seed, resamplings=resamplings)
        return None if found is None else [_rounded(bound) or 0.0 for bound in found]

    def limit(place: int) -> Callable[[NDArray[np.intp]], float]:
        return lambda chosen: _bland_altman(differences[chosen])[place]

    limits: dict[str, Any] = {}
    # One difference has a size, and no spread.
    for place, name in enumerate(("bias", "lower", "upper") if len(pairs) > 1 else ("bias",)):
        limits |= {name: _rounded(_bland_altman(differences)[place]), f"{name}_95": within(limit(place))}
    references = np.abs(values[:, 1])
    return {
        "mean_absolute_error": _rounded(np.abs(differences).mean()),
        "mean_absolute_error_95": within(lambda chosen: float(np.abs(differences[chosen]).mean())),
        "mean_absolute_error_percent": _rounded(100 * (np.abs(differences) / references).mean())
        if references.all()
        else None,
        **limits,
        "intraclass_correlation": _rounded(intraclass_correlation(values)),
        "intraclass_correlation_95": within(lambda chosen: intraclass_correlation(values[chosen])),
        "cases": len(pairs),
        "each": [{"found": _rounded(found), "reference": _rounded(known)} for found, known in pairs],
    }


def intraclass_correlation(values: NDArray[np.float64]) -> float:
    """Absolute agreement of two single measurements, ICC(A,1); NaN where values do not vary.

    Parameters
    ----------
    values
        (cases, 2).
    """
    count, raters = values.shape
    if count < 2:
        return float("nan")
    mean = values.mean()
    of_cases = raters * ((values.mean(axis=1) - mean) ** 2).sum() / (count - 1)
    of_raters = count * ((values.mean(axis=0) - mean) ** 2).sum() / (raters - 1)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + mean
    error = (rest**2).sum() / ((count - 1) * (raters - 1))
    whole = of_cases + (raters - 1) * error + raters * (of_raters - error) / count
    return float((of_cases - error) / whole) if whole else float("nan")


def _bland_altman(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    bias = float(differences.mean())
    spread = _LIMITS * float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return bias, bias - spread, bias + spread


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
