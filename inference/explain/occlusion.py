"""Occlusion sensitivity: how much an output falls where a part of the image is covered.

References
----------
Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from inference.explain.methods import ExplanationImpossible
from inference.explain.parts import neutral, parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.runner.adapter import LoadedNetwork

#: Places of the cover along each axis: 256 runs of a 2D network, 216 of a 3D one.
PLACES = {2: 16, 3: 6}


def occlude(network: LoadedNetwork, batch: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """Cover one place after the other with the image's own mean, and take by how much the output falls.

    Parameters
    ----------
    batch
        (n, channels, ...), 2D or 3D.
    target
        Index into the network's first output.

    Returns
    -------
    NDArray[np.float32]
        (n, ...): positive where the output falls, so where the image speaks for it.
    """
    sides = batch.shape[2:]
    counts = [min(side, PLACES[len(sides)]) for side in sides]
    covers = [_covers(side, count) for side, count in zip(sides, counts, strict=True)]
    windows = list(itertools.product(*covers))
    out = np.empty((len(batch), *sides), np.float32)
    for index in range(len(batch)):
        image = batch[index : index + 1]
        fall = _score(network, image, target)[0] - _covered_scores(network, image, target, windows)
        grid = fall.reshape(counts)
        zoom = [side / count for side, count in zip(sides, counts, strict=True)]
        # Each value stands for the middle of its place; between them it is interpolated.
        out[index] = ndimage.zoom(grid, zoom, order=1, mode="nearest", grid_mode=True)
    return out


def _covers(side: int, count: int) -> list[slice]:
    """Covers that are twice as long as their distance, so that nothing is seen only in halves."""
    step = side / count
    middles = (np.arange(count) + 0.5) * step
    return [
        slice(max(0, round(float(middle - step))), min(side, max(1, round(float(middle + step)))))
        for middle in middles
    ]


def _covered_scores(
    network: LoadedNetwork, image: NDArray[np.float32], target: int, windows: list[tuple[slice, ...]]
) -> NDArray[np.float32]:
    cover = neutral(image)[0]
    scores = np.empty(len(windows), np.float32)
    for part in parts(len(windows), image.size):
        covered = np.repeat(image, part.stop - part.start, axis=0)
        for row, window in zip(covered, windows[part], strict=True):
            row[:, *window] = cover
        scores[part] = _score(network, covered, target)
    return scores


def _score(network: LoadedNetwork, batch: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    outputs = network(batch)
    first = np.asarray(outputs.get("output", next(iter(outputs.values()))), np.float32)
    if first.ndim < 2 or not 0 <= target < first.shape[1]:
        raise ExplanationImpossible(f"the network's first output has no class {target}")
    return np.asarray(first[:, target].reshape(len(first), -1).mean(axis=1))
