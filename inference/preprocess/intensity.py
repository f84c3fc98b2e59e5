"""Brings the values of a volume to the scale that a network was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_WAYS = ("percentiles", "window", "range", "zscore")


@dataclass(frozen=True, slots=True)
class Intensity:
    """How values are scaled; `adapter.preprocessing.intensity` of a manifest.

    Attributes
    ----------
    way
        `percentiles` of the volume, `window` (centre, width) or `range` (lowest, highest) become 0 to 1,
        cut off there; `zscore` takes away the mean and divides by the standard deviation.
    numbers
        Two numbers, for all but `zscore`.
    nonzero
        Whether only values other than 0 count (brains on a black background), for `percentiles`
        and `zscore`; 0 stays 0 with `zscore`.
    mean, std
        Taken away and divided by afterwards.
    """

    way: str
    numbers: tuple[float, float] = (0.0, 1.0)
    nonzero: bool = False
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Intensity:
        """Read one of `percentiles`, `window`, `range` with two numbers, or `zscore: true`.

        Raises
        ------
        InvalidModelPackage
        """
        try:
            (way,) = (key for key in _WAYS if raw.get(key) not in (None, False))
            numbers = (0.0, 1.0)
            if way != "zscore":
                first, second = (float(x) for x in raw[way])
                numbers = (first, second)
            mean, std = float(raw.get("mean", 0)), float(raw.get("std", 1))
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise InvalidModelPackage(
                f"preprocessing, intensity: one of {', '.join(_WAYS)}, with two numbers (zscore: true)"
            ) from exc
        if unknown := sorted(set(raw) - {*_WAYS, "nonzero", "mean", "std"}):
            raise InvalidModelPackage(f"preprocessing, intensity: unknown key {unknown[0]}")
        width = numbers[1] if way == "window" else numbers[1] - numbers[0]
        if std <= 0 or width <= 0:
            raise InvalidModelPackage("preprocessing, intensity: a width, a std or a range is not above 0")
        return cls(way, numbers, bool(raw.get("nonzero", False)), mean, std)

    def scaled(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values on the network's scale, float32; the input is not changed."""
        scaled = self._standardised(values) if self.way == "zscore" else self._cut_off(values)
        return scaled if (self.mean, self.std) == (0.0, 1.0) else (scaled - self.mean) / np.float32(self.std)

    def _standardised(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        counted = values[values != 0] if self.nonzero else values
        deviation = float(counted.std(dtype=np.float64)) if counted.size else 0.0
        if deviation == 0:
            return np.zeros_like(values, dtype=np.float32)
        mean = np.float32(counted.mean(dtype=np.float64))
        scaled = ((values - mean) / np.float32(deviation)).astype(np.float32)
        return np.where(values == 0, np.float32(0), scaled) if self.nonzero else scaled

    def _cut_off(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high = self._ends(values)
        if not high > low:
            return np.zeros_like(values, dtype=np.float32)
        scaled = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
        return np.asarray(scaled, dtype=np.float32)

    def _ends(self, values: NDArray[np.float32]) -> tuple[float, float]:
        first, second = self.numbers
        if self.way == "window":
            return first - second / 2, first + second / 2
        if self.way == "range":
            return first, second
        counted = values[values != 0] if self.nonzero else values.ravel()
        if not counted.size:
            return 0.0, 0.0
        low, high = np.percentile(counted, (first, second))
        return float(low), float(high)
