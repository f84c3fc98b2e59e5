"""Feeds images to a network in training: the same preprocessing as in serving, changed anew each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from inference.preprocess.picture import prepare_picture
from inference.training.augmentation import augment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.preprocess.picture import PictureRules
    from inference.training.augmentation import Augmentation


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images with labels.

    Parameters
    ----------
    images
        uint8, `(rows, columns)`.
    how
        Changes; `None` for validation and test.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        labels: Sequence[int],
        rules: PictureRules,
        how: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._images = images
        self.labels = labels
        self._rules = rules
        self._how = how
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._images)

    def __getitem__(self, n: int) -> tuple[torch.Tensor, int]:
        """One picture and its label.

        What is drawn depends on seed, epoch and place alone: a resumed training sees what an unbroken one
        sees.
        """
        grey = self._images[n].astype(np.float32) / np.float32(255)
        if self._how is not None:
            grey = augment(grey, self._how, np.random.default_rng((self._seed, self.epoch, n)))
        picture, _ = prepare_picture(grey, self._rules)
        return torch.from_numpy(picture), self.labels[n]
