"""Calibrates a trained classifier on the validation split, and judges it on the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from inference.training.calibration import Judgement, fit_temperature, threshold_for
from inference.training.examples import SPLITS
from inference.training.splitting import TEST, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.training.examples import Examples


class JudgedClassifier:
    """Calibration and figures of a trained classifier.

    Parameters
    ----------
    logits
        `(images, classes)`; NaN of what was trained on.
    groups, split
        Of each image.
    abnormal
        Names of the classes that the threshold is about.
    sensitivity
        Share of the abnormal validation images that it finds.

    Attributes
    ----------
    temperature, threshold
        As the validation split has them.
    """

    def __init__(
        self,
        examples: Examples,
        logits: NDArray[np.float64],
        groups: NDArray[np.int64],
        split: NDArray[np.int64],
        abnormal: Sequence[str],
        sensitivity: float,
        seed: int,
    ) -> None:
        self._examples, self._logits, self._groups, self._split = examples, logits, groups, split
        self._labels = np.array([item.label for item in examples.items])
        self._abnormal = tuple(examples.classes.index(name) for name in abnormal)
        self._seed = seed
        held = split == VALIDATION
        self.temperature = fit_temperature(logits[held], self._labels[held])
        self.threshold = 0.5
        if self._abnormal:
            score = softmax(logits[held] / self.temperature, axis=1)[:, list(self._abnormal)].sum(axis=1)
            positive = np.isin(self._labels[held], self._abnormal)
            self.threshold = threshold_for(score, positive, sensitivity)

    def record(self) -> dict[str, Any]:
        """Sizes of the splits and figures of each, and of each subset of the test split."""
        subset = np.array([item.subset or "" for item in self._examples.items])
        tested = self._split == TEST
        count = len(self._examples.classes)
        return {
            "classes": list(self._examples.classes),
            "splits": {
                name: np.bincount(self._labels[self._split == n], minlength=count).tolist()
                for n, name in enumerate(SPLITS)
            },
            "seed": self._seed,
            "temperature": round(self.temperature, 4),
            "threshold": round(self.threshold, 4),
            "validation": self._figures(self._split == VALIDATION),
            "test": self._figures(tested),
            "test_by_subset": {
                str(name): self._figures(tested & (subset == name))
                for name in np.unique(subset[tested])
                if name
            },
        }

    def predictions(self) -> list[dict[str, Any]]:
        """Logits of every image that was not trained on."""
        return [
            {
                "path": item.path.name,
                "label": self._examples.classes[item.label],
                "subset": item.subset,
                "split": SPLITS[self._split[n]],
                "logits": [round(float(x), 4) for x in self._logits[n]],
            }
            for n, item in enumerate(self._examples.items)
            if self._split[n] in (VALIDATION, TEST)
        ]

    def _figures(self, where: NDArray[np.bool_]) -> dict[str, Any]:
        return Judgement(
            self._logits[where],
            self._labels[where],
            self._groups[where],
            self._abnormal,
            self.temperature,
            self.threshold,
            self._seed,
        ).figures()
