"""One call for all methods: from a batch to maps from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inference.explain import methods
from inference.explain.methods import ExplanationImpossible
from inference.explain.occlusion import occlude

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.runner.adapter import LoadedNetwork


def explain(
    network: LoadedNetwork,
    batch: NDArray[np.float32],
    target: int,
    method: str,
    layers: tuple[str, ...] = (),
) -> NDArray[np.float32]:
    """Show where the evidence for an output of a network lies.

    What speaks against the output, and what says nothing, is 0. All images of the batch share one scale, and
    the strongest evidence among them is 1: an image with weak evidence stays pale beside one with strong.
    The same input gives the same maps.

    Parameters
    ----------
    batch
        (n, channels, rows, columns) or (n, channels, slices, rows, columns), as the network takes it. The
        network sees a few images at once, whatever n is.
    target
        Index into the network's first output, from 0.
    method
        `grad-cam`, `grad-cam++`, `layer-cam`, `occlusion`, `integrated-gradients`; `choose_method` says which
        is possible.
    layers
        For the CAM methods: dotted names of modules; none takes the last one whose output has a spatial grid
        of more than one cell. The maps of several are multiplied: a late layer knows the class and has a
        coarse grid, an early one has a fine grid and answers to much else. What is weak becomes weaker by it.

    Returns
    -------
    NDArray[np.float32]
        (n, ...) on the grid of the batch, without channels, 0 to 1.

    Raises
    ------
    ExplanationImpossible
        If the network does not allow the method, or has no such layer or output.
    """
    if batch.ndim not in (4, 5):
        raise ExplanationImpossible(
            f"a batch of 2D or 3D images is needed, not an array of {batch.ndim} axes"
        )
    if method not in methods.possible_methods(network):
        raise ExplanationImpossible(
            f"{methods.title(method)} needs a network whose gradients and layers can be looked into; ask for"
            f" {' or '.join(methods.possible_methods(network))}"
        )
    if not len(batch):
        return np.zeros((0, *batch.shape[2:]), np.float32)
    evidence = _evidence(network, batch, target, method, layers)
    # What is no number (an overflow in half precision) is no evidence.
    positive = np.maximum(np.nan_to_num(evidence, nan=0, posinf=0, neginf=0), 0)
    strongest = float(positive.max())
    return np.asarray(positive / (strongest or 1), np.float32)


def _evidence(
    network: LoadedNetwork, batch: NDArray[np.float32], target: int, method: str, layers: tuple[str, ...]
) -> NDArray[np.floating]:
    if method == methods.OCCLUSION:
        return occlude(network, batch, target)
    # torch is there in the model process only.
    if method == methods.INTEGRATED_GRADIENTS:
        from inference.explain.integrated_gradients import integrate_gradients, smoothed

        return smoothed(integrate_gradients(network.module, batch, target))
    from inference.explain.cam import class_activation

    maps = [class_activation(network.module, batch, target, layer, method) for layer in layers or (None,)]
    return np.asarray(np.prod(maps, axis=0, dtype=np.float64))
