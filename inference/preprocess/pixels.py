"""Pixels of a slice in modality units (PS3.3 §C.7.6.3, §C.11.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.pixels.processing import apply_modality_lut

from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})


def read_pixels(ds: Dataset) -> NDArray[np.float32]:
    """Decode a single-frame grey-scale image.

    Bits above Bits Stored are ignored (overlays lie there in old files), Pixel Padding becomes the
    darkest true value, rescale or Modality LUT are applied, and MONOCHROME1 is turned so that brighter
    is more.

    Returns
    -------
    NDArray
        float32 (rows, columns).

    Raises
    ------
    VolumeRefused
        Rule `multi-frame`, `colour`, `pixels` or `rescale`.
    """
    if int(ds.get("NumberOfFrames", 1) or 1) != 1:
        raise VolumeRefused("multi-frame", "multi-frame images are not supported by this model's input")
    photometric = str(ds.get("PhotometricInterpretation", ""))
    if photometric not in _GREY or int(ds.get("SamplesPerPixel", 1)) != 1:
        raise VolumeRefused("colour", "the images are not grey-scale")
    stored = _stored_values(ds)
    padding = _padding(ds, stored)
    values = _rescaled(ds, stored)
    if not np.isfinite(values).all():
        raise VolumeRefused("pixels", "an image holds values that are no numbers")
    if photometric == "MONOCHROME1":
        low, high = _rescaled_range(ds, stored)
        values = low + high - values
    if padding.any() and not padding.all():
        values[padding] = values[~padding].min()
    return values.astype(np.float32)


def _stored_values(ds: Dataset) -> NDArray[np.generic]:
    try:
        stored = ds.pixel_array
    except Exception as exc:
        # Codecs raise whatever they like; their text may hold values of the data set.
        raise VolumeRefused("pixels", f"an image cannot be decoded ({type(exc).__name__})") from exc
    if stored.ndim != 2:
        raise VolumeRefused("pixels", "an image is not one plane of pixels")
    if stored.dtype.kind not in "iu":
        return cast("NDArray[np.generic]", stored)
    return _without_unused_bits(ds, stored)


def _without_unused_bits(ds: Dataset, stored: NDArray[np.integer]) -> NDArray[np.integer]:
    allocated, bits = int(ds.BitsAllocated), int(ds.BitsStored)
    if not 0 < bits <= allocated:
        raise VolumeRefused("pixels", "Bits Stored and Bits Allocated of an image contradict each other")
    if bits == allocated:
        return stored
    values = stored.astype(np.int64)
    if not ds.file_meta.TransferSyntaxUID.is_compressed:
        values >>= max(int(ds.HighBit) + 1 - bits, 0)
    values &= (1 << bits) - 1
    if int(ds.PixelRepresentation) == 1:
        values -= (values >> (bits - 1)) << bits
    return values


def _padding(ds: Dataset, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
    value = ds.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, dtype=bool)
    limit = ds.get("PixelPaddingRangeLimit")
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    values = cast("NDArray[np.float64]", stored)
    return np.asarray((values >= low) & (values <= high))


def _rescaled(ds: Dataset, stored: NDArray[np.generic]) -> NDArray[np.float64]:
    slope, intercept = ds.get("RescaleSlope"), ds.get("RescaleIntercept")
    if not ds.get("ModalityLUTSequence") and (slope is None or intercept is None):
        return stored.astype(np.float64)
    try:
        if slope is not None and float(slope) == 0:
            raise VolumeRefused("rescale", "Rescale Slope of an image is 0")
        return np.asarray(apply_modality_lut(stored, ds), dtype=np.float64)
    except (AttributeError, IndexError, TypeError, ValueError) as exc:
        raise VolumeRefused("rescale", "the Modality LUT or rescale of an image makes no sense") from exc


def _rescaled_range(ds: Dataset, stored: NDArray[np.generic]) -> tuple[float, float]:
    # The whole stored range, so that all slices turn around the same value.
    if stored.dtype.kind not in "iu":
        return float(np.min(cast("NDArray[np.float64]", stored))), float(
            np.max(cast("NDArray[np.float64]", stored))
        )
    bits = int(ds.BitsStored)
    signed = int(ds.PixelRepresentation) == 1
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    low, high = _rescaled(ds, ends)
    return float(low), float(high)
