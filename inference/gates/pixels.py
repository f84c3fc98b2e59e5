"""Facts of decoded images: whether there is one at all, how it was exported, and its statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Slices and values that are looked at.
_SLICES, _VALUES = 24, 200_000
#: Longest side of the pictures that statistics are taken of: they shall not depend on the matrix.
_SIDE = 128
_QUANTILES = (10, 25, 50, 75, 90)
#: Share of the range of brightness that is more than air and the floor of noise.
_FOREGROUND = 0.1


def measure_pixels(voxels: NDArray[np.float32]) -> dict[str, float]:
    """Facts of images that need no place in the patient.

    Parameters
    ----------
    voxels
        (slices, rows, columns) or in colour (slices, rows, columns, 3), in modality units.

    Returns
    -------
    dict
        `neighbour_correlation` of neighbouring pixels in rows and columns (the smaller), `negative_fraction`,
        `distinct_values`, `at_maximum_fraction` (values as large as any), `blank_slices` (share of slices
        with one value), `lowest` and `highest` (percentiles 0.5 and 99.5), `noise_level` (its standard
        deviation over the range of brightness), and the statistics of `STATISTICS`.
    """
    grey = voxels if voxels.ndim == 3 else voxels.mean(axis=3)
    sample = np.nan_to_num(grey[:: max(1, grey.shape[0] // _SLICES)].astype(np.float32, copy=False))
    values = sample.ravel()[:: max(1, sample.size // _VALUES)]
    if values.size == 0:
        return {}
    low, high = (float(p) for p in np.percentile(values, (0.5, 99.5)))
    return {
        "neighbour_correlation": min(
            _correlation(sample[:, :, :-1], sample[:, :, 1:]),
            _correlation(sample[:, :-1], sample[:, 1:]),
        ),
        "negative_fraction": float((values < 0).mean()),
        "distinct_values": float(np.unique(values).size),
        "at_maximum_fraction": float((values == values.max()).mean()),
        "blank_slices": float((np.ptp(sample.reshape(len(sample), -1), axis=1) == 0).mean()),
        "lowest": low,
        "highest": high,
        "noise_level": _noise(sample) / (high - low) if high > low else 0.0,
        **_statistics(sample, low, high),
    }


#: Names of the statistics that tell one kind of image from another, whatever its size and brightness.
STATISTICS = (
    *(f"stat_q{q}" for q in _QUANTILES),
    "stat_foreground",
    "stat_gradient",
    "stat_edges",
    "stat_detail",
    "stat_mirror",
    "stat_border",
)


def _statistics(sample: NDArray[np.float32], low: float, high: float) -> dict[str, float]:
    if high <= low:
        return dict.fromkeys(STATISTICS, 0.0)
    small = np.stack([_small(np.clip((picture - low) / (high - low), 0, 1)) for picture in sample])
    quantiles = np.percentile(small, _QUANTILES)
    rows, columns = np.gradient(small, axis=(1, 2)) if min(small.shape[1:]) > 1 else (small * 0, small * 0)
    slope = np.hypot(rows, columns)
    smooth = np.stack([cv2.GaussianBlur(picture, (0, 0), 2.0) for picture in small])
    rim = np.concatenate(
        [small[:, 0].ravel(), small[:, -1].ravel(), small[:, :, 0].ravel(), small[:, :, -1].ravel()]
    )
    return {
        **{f"stat_q{q}": float(value) for q, value in zip(_QUANTILES, quantiles, strict=True)},
        "stat_foreground": float((small > _FOREGROUND).mean()),
        "stat_gradient": float(slope.mean()),
        "stat_edges": float((slope > _FOREGROUND).mean()),
        "stat_detail": float(np.abs(small - smooth).mean()),
        "stat_mirror": _correlation(small, np.ascontiguousarray(small[:, :, ::-1])),
        "stat_border": float(rim.mean()),
    }


def _small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = picture.shape
    scale = _SIDE / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how), dtype=np.float32)


def _noise(sample: NDArray[np.float32]) -> float:
    """Standard deviation of what changes from pixel to pixel, by the median (few edges do not count)."""
    if min(sample.shape[1:]) < 2:
        return 0.0
    diagonal = (sample[:, :-1, :-1] - sample[:, :-1, 1:] - sample[:, 1:, :-1] + sample[:, 1:, 1:]).ravel()
    moving = diagonal[diagonal != 0]
    return float(np.median(np.abs(moving))) / 0.6745 / 2 if moving.size else 0.0


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if one.size == 0:
        return 0.0
    a = one.ravel().astype(np.float64)
    b = other.ravel().astype(np.float64)
    deviation = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / deviation if deviation > 0 else 0.0
