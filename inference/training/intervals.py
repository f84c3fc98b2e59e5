"""Confidence intervals by drawing whole patients again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RESAMPLINGS = 1000


def interval(
    figure: Callable[[NDArray[np.intp]], float],
    groups: NDArray[np.int64],
    *,
    seed: int = 0,
    resamplings: int = RESAMPLINGS,
) -> tuple[float, float] | None:
    """95 % interval of a figure by the cluster bootstrap, or `None` where it cannot be told.

    Images of one patient are alike: drawn one by one they would make the interval too narrow.

    Parameters
    ----------
    figure
        Of the cases with these indices; NaN where it has no meaning for them.
    groups
        Group (patient) of each case.

    References
    ----------
    Field and Welsh, Bootstrapping clustered data, J R Stat Soc B 2007
    """
    _, places = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(places == number) for number in range(places.max() + 1)] if len(groups) else []
    if len(members) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = [
        figure(np.concatenate([members[n] for n in rng.integers(0, len(members), len(members))]))
        for _ in range(resamplings)
    ]
    finite = np.array(drawn)[np.isfinite(drawn)]
    if finite.size < resamplings / 2:
        return None
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)
