"""Batches in parts that a machine's memory bears, and what stands where something was taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Values of input that a network is given at once. Its own layers hold up to a hundred times as many.
MAX_VALUES = 2**20


def parts(count: int, values: int) -> Iterator[slice]:
    """Cut `count` images of `values` numbers each into parts; a part has one image at least."""
    size = max(1, MAX_VALUES // max(values, 1))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def neutral(batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each channel of each image, with axes to spread it over the image.

    It is what a picture without content looks like to a network: black would itself be a sign, of air.
    """
    return np.asarray(batch.mean(axis=tuple(range(2, batch.ndim)), keepdims=True))
