"""Turns what a network gives into probabilities. Pure NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACTIVATIONS = ("softmax", "sigmoid", "none")


def activate(
    values: NDArray[np.float32], activation: str, *, axis: int = 1, temperature: float = 1.0
) -> NDArray[np.float32]:
    """Probabilities of what a network gives.

    Parameters
    ----------
    values
        Logits, or with `none` probabilities already.
    activation
        `softmax` over the classes along `axis`, `sigmoid` of each, or `none`.
    temperature
        Logits are divided by it; `none` knows no logits and takes no notice of it.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, ICML 2017 (temperature)
    """
    if activation == "none":
        return np.clip(values, 0, 1)
    scaled = values / np.float32(temperature)
    made = softmax(scaled, axis=axis) if activation == "softmax" else expit(scaled)
    return np.asarray(made, dtype=np.float32)
