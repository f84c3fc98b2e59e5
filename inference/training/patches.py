"""Pieces of images with their masks, changed anew each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from torch import Tensor

#: Share of the pieces that are cut around a voxel of a segment.
FOREGROUND_SHARE = 0.5


class Patches:
    """Draws batches; what is drawn depends on seed and epoch alone."""

    def __init__(
        self,
        size: tuple[int, ...] | None,
        mirror_axes: tuple[int, ...],
        gamma: float,
        noise: float,
        seed: int,
    ) -> None:
        self._size = size
        self._mirror_axes = mirror_axes
        self._gamma = gamma
        self._noise = noise
        self._seed = seed

    def batches(
        self, items: Sequence[tuple[Tensor, Tensor]], epoch: int, batch: int, repeats: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs `(batch, channels, ...)` and masks `(batch, ...)`, every image `repeats` times.

        Images of different sizes are batched only where a patch size is set.
        """
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(np.repeat(np.arange(len(items)), repeats))
        for start in range(0, len(order), batch):
            drawn = [self._one(items[n][0], items[n][1], rng) for n in order[start : start + batch]]
            yield torch.stack([image for image, _ in drawn]), torch.stack([mask for _, mask in drawn])

    def _one(self, image: Tensor, mask: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        if self._size is not None:
            image, mask = _cut(image, mask, self._size, rng)
        for axis in self._mirror_axes:
            if rng.random() < 0.5:
                image, mask = image.flip(axis + 1), mask.flip(axis)
        low, high = float(image.min()), float(image.max())
        if high > low:
            share = (image - low) / (high - low)
            image = low + (high - low) * share ** float(self._gamma ** rng.uniform(-1, 1))
        added = rng.standard_normal(tuple(image.shape), dtype=np.float32) * np.float32(
            rng.uniform(0, self._noise)
        )
        return image + torch.from_numpy(added), mask


def _cut(image: Tensor, mask: Tensor, size: tuple[int, ...], rng: Generator) -> tuple[Tensor, Tensor]:
    missing = [max(0, wanted - have) for wanted, have in zip(size, mask.shape, strict=True)]
    if any(missing):
        # torch pads from the last axis on.
        widths = [n for lack in reversed(missing) for n in (0, lack)]
        image = torch.nn.functional.pad(image, widths, value=float(image.min()))
        mask = torch.nn.functional.pad(mask, widths)
    room = np.array(mask.shape) - np.array(size)
    inside = torch.nonzero(mask)
    if len(inside) and rng.random() < FOREGROUND_SHARE:
        centre = inside[int(rng.integers(0, len(inside)))].numpy()
        begin = np.clip(centre - np.array(size) // 2, 0, room)
    else:
        begin = rng.integers(0, room + 1)
    place = tuple(slice(int(b), int(b) + n) for b, n in zip(begin, size, strict=True))
    return image[(slice(None), *place)], mask[place]
