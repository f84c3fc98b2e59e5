"""Integrated gradients from an empty picture to the image.

References
----------
Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage

from inference.explain.parts import neutral, parts
from inference.explain.scores import as_input, gradients, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points on the way, in the middle of as many equal steps.
STEPS = 32
#: Single pixels are noise to the eye: they are spread over this share of a side.
SMOOTHING = 1 / 64


def integrate_gradients(module: Any, batch: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """Attribute the difference of an output, between the image and its own mean, to its pixels.

    Returns
    -------
    NDArray[np.float32]
        (n, ...), summed over channels. The sum over an image is the output for it, less the output for the
        empty picture, but for the error of `STEPS` steps.
    """
    empty = neutral(batch)
    way = batch - empty
    shares = ((np.arange(STEPS) + 0.5) / STEPS).astype(np.float32)
    out = np.empty((len(batch), *batch.shape[2:]), np.float32)
    with gradients(module):
        for index in range(len(batch)):
            total = np.zeros(batch.shape[1:], np.float32)
            for part in parts(STEPS, way[index].size):
                share = shares[part].reshape(-1, *[1] * (batch.ndim - 1))
                points = as_input(module, empty[index] + share * way[index])
                (slopes,) = torch.autograd.grad(score(module, points, target).sum(), points)
                total += slopes.sum(dim=0).float().cpu().numpy()
            out[index] = (total / STEPS * way[index]).sum(axis=0)
    return out


def smoothed(attribution: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread what single pixels say over their neighbours, each image for itself."""
    sigma = [0.0, *(side * SMOOTHING for side in attribution.shape[1:])]
    return np.asarray(ndimage.gaussian_filter(attribution, sigma), np.float32)
