"""Stored values as grey: by the window of the header, or by what the pixels hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.preprocess.frames import Frame, value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.encode.source import SourceSeries

#: A window that leaves less than this share of the tissue between black and white shows nothing.
LEAST_SHOWN = 0.1
#: Without a window of the header: from where to where the tissue's values reach, percent.
PERCENTILES = (0.5, 99.5)
#: About every how many-th pixel and how many slices say enough about a window.
_STEP, _SLICES = 4, 48


@dataclass(frozen=True, slots=True)
class GreyWindow:
    """Stored values that become black and white, for all slices of a series.

    Attributes
    ----------
    low, high
        In modality units.
    slopes, intercepts
        Of each slice: stored values to modality units.
    inverted
        Whether low values are bright (MONOCHROME1).
    """

    low: float
    high: float
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    inverted: bool = False

    def grey(self, stored: NDArray[np.generic], index: int) -> NDArray[np.uint8]:
        """A slice as grey, 0 to 255, brighter is what the standard shows brighter."""
        scale = 255 / (self.high - self.low)
        gain = self.slopes[index] * scale
        lift = (self.intercepts[index] - self.low) * scale
        if stored.dtype.itemsize > 2:
            return _convert(stored, gain, lift, inverted=self.inverted)
        # By a table of all values of an 8- or 16-bit type, which is much faster.
        table = _table(stored.dtype, gain, lift, inverted=self.inverted)
        return np.asarray(np.take(table, np.ascontiguousarray(stored).view(f"u{stored.dtype.itemsize}")))


# The slices of a series nearly always share one rescale.
@lru_cache(maxsize=2)
def _table(dtype: np.dtype[Any], gain: float, lift: float, *, inverted: bool) -> NDArray[np.uint8]:
    values = np.arange(256**dtype.itemsize, dtype=f"u{dtype.itemsize}").view(dtype)
    return _convert(values, gain, lift, inverted=inverted)


def _convert(stored: NDArray[np.generic], gain: float, lift: float, *, inverted: bool) -> NDArray[np.uint8]:
    values = stored.astype(np.float32) * np.float32(gain) + np.float32(lift)
    grey = np.nan_to_num(np.clip(values, 0, 255), nan=0).astype(np.uint8)
    return np.asarray(255 - grey if inverted else grey)


def window_of(source: SourceSeries) -> GreyWindow:
    """The window of the header, the same for all slices, where there is one that shows the tissue.

    Otherwise, and where a VOI LUT stands in its place, one from the 0.5th to the 99.5th percentile of what
    is not background. Never fails: what the header says wrongly is not used.
    """
    frames = [Frame(ds, (source.frame_number(i) or 1) - 1) for i, ds in enumerate(source.slices)]
    slopes, intercepts = _lines(frames)
    inverted = value_of(source.header, "PhotometricInterpretation") == "MONOCHROME1"
    tissue = _tissue(source.pixels, slopes, intercepts, inverted=inverted)
    low, high = _from_header(frames, tissue) or _from_pixels(tissue)
    return GreyWindow(low, high, slopes, intercepts, inverted)


def grey_of_pixels(
    pixels: NDArray[np.generic], window: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """A single image (rows, columns) as grey, by a window (lowest, highest value) where that shows it."""
    line = (1.0,), (0.0,)
    tissue = _tissue(pixels[None], *line, inverted=False)
    low, high = _usable(window, tissue) or _from_pixels(tissue)
    return GreyWindow(low, high, *line).grey(pixels, 0)


def _lines(frames: Sequence[Frame]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    slopes, intercepts = [], []
    for frame in frames:
        slope, intercept = frame.numbers("RescaleSlope"), frame.numbers("RescaleIntercept")
        known = slope is not None and intercept is not None and slope[0] != 0
        slopes.append(float(slope[0]) if known and slope is not None else 1.0)
        intercepts.append(float(intercept[0]) if known and intercept is not None else 0.0)
    return tuple(slopes), tuple(intercepts)


def _tissue(
    pixels: NDArray[Any], slopes: Sequence[float], intercepts: Sequence[float], *, inverted: bool
) -> NDArray[np.float32]:
    """Values in modality units of some pixels that are not background; all where nothing else is there."""
    every = max(1, len(pixels) // _SLICES)
    step = _STEP if min(pixels.shape[1:3]) >= 8 * _STEP else 1
    stored = pixels[::every, ::step, ::step].astype(np.float32)
    shape = (-1, *[1] * (stored.ndim - 1))
    gain = np.array(slopes[::every], np.float32).reshape(shape)
    lift = np.array(intercepts[::every], np.float32).reshape(shape)
    values = stored * gain + lift
    values = values[np.isfinite(values)]
    if not values.size:
        return np.zeros(1, np.float32)
    tissue = values[values != (values.max() if inverted else values.min())]
    return np.asarray(tissue if tissue.size else values)


def _from_header(frames: Sequence[Frame], tissue: NDArray[np.float32]) -> tuple[float, float] | None:
    found = [_window(frame) for frame in frames]
    known = [window for window in found if window is not None]
    if len(known) < len(frames):
        return None
    centre, width = np.median(np.array(known), axis=0).tolist()
    return _usable((centre - width / 2, centre + width / 2), tissue)


def _usable(window: tuple[float, float] | None, tissue: NDArray[np.float32]) -> tuple[float, float] | None:
    if window is None or not window[0] < window[1]:
        return None
    shown = np.mean((tissue > window[0]) & (tissue < window[1]))
    return window if shown >= LEAST_SHOWN else None


def _window(frame: Frame) -> tuple[float, float] | None:
    if _has_table(frame.ds):
        return None
    centre, width = frame.numbers("WindowCenter"), frame.numbers("WindowWidth")
    if centre is None or width is None or width[0] < 1:
        return None
    # Centre and width of a linear function count whole values (PS3.3 §C.11.2.1.2.1).
    return float(centre[0]) - 0.5, max(float(width[0]) - 1, 1.0)


def _has_table(ds: Dataset) -> bool:
    return value_of(ds, "VOILUTSequence") is not None or value_of(ds, "ModalityLUTSequence") is not None


def _from_pixels(tissue: NDArray[np.float32]) -> tuple[float, float]:
    low, high = np.percentile(tissue, PERCENTILES).tolist()
    return (low, high) if high > low else (low - 1, low + 1)
