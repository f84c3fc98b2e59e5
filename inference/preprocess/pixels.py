"""Pixels in modality units (PS3.3 §C.7.6.3, §C.11.1, §C.7.6.16.2.9, §C.7.6.16.2.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.pixels.processing import apply_modality_lut

from inference.preprocess.frames import Frame, count_frames, value_of
from inference.preprocess.stored import is_colour, read_stored
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})


def read_pixels(ds: Dataset) -> NDArray[np.float32]:
    """Decode a single-frame grey-scale image; see `read_grey`.

    Raises
    ------
    VolumeRefused
        As `read_grey`, or rule `multi-frame`.
    """
    if count_frames(ds) != 1:
        raise VolumeRefused("multi-frame", "the image has several frames, and one is asked for")
    return read_grey(Frame(ds))


def read_grey(frame: Frame) -> NDArray[np.float32]:
    """Decode a grey-scale frame.

    Bits above Bits Stored are ignored (overlays lie there in old files), Pixel Padding becomes the
    darkest true value, rescale, Modality LUT or (where there is neither) a linear Real World Value
    Mapping are applied, each frame's own, and MONOCHROME1 is turned so that brighter is more.

    Returns
    -------
    NDArray
        float32 (rows, columns).

    Raises
    ------
    VolumeRefused
        Rule `colour`, `pixels` or `rescale`.
    """
    photometric = value_of(frame.ds, "PhotometricInterpretation")
    if photometric not in _GREY or is_colour(frame.ds):
        raise VolumeRefused("colour", "the images are not grey-scale")
    stored = read_stored(frame)
    padding = _padding(frame, stored)
    values = _rescaled(frame, stored)
    if not np.isfinite(values).all():
        raise VolumeRefused("pixels", "an image holds values that are no numbers")
    if photometric == "MONOCHROME1":
        low, high = _rescaled_range(frame, stored)
        values = low + high - values
    if padding is not None and padding.any() and not padding.all():
        values[padding] = values[~padding].min()
    return values.astype(np.float32)


def _padding(frame: Frame, stored: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    value = frame.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = frame.get("PixelPaddingRangeLimit")
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    values = cast("NDArray[np.float64]", stored)
    return np.asarray((values >= low) & (values <= high))


def _rescaled(frame: Frame, stored: NDArray[np.generic]) -> NDArray[np.float64]:
    if value_of(frame.ds, "ModalityLUTSequence") is not None:
        try:
            return np.asarray(apply_modality_lut(stored, frame.ds), dtype=np.float64)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
            raise VolumeRefused("rescale", "the Modality LUT of an image makes no sense") from exc
    line = _line(frame, "RescaleSlope", "RescaleIntercept") or _real_world_line(frame)
    if line is None:
        return stored.astype(np.float64)
    slope, intercept = line
    if slope == 0:
        raise VolumeRefused("rescale", "Rescale Slope of an image is 0")
    return stored.astype(np.float64) * slope + intercept


def _line(frame: Frame, slope: str, intercept: str) -> tuple[float, float] | None:
    if frame.get(slope) is None or frame.get(intercept) is None:
        return None
    found = [frame.numbers(keyword) for keyword in (slope, intercept)]
    if any(one is None or one.size != 1 for one in found):
        raise VolumeRefused("rescale", "the rescale of an image makes no sense")
    first, second = (cast("NDArray[np.float64]", one) for one in found)
    return float(first[0]), float(second[0])


def _real_world_line(frame: Frame) -> tuple[float, float] | None:
    """The one linear mapping, where there is exactly one: of several, none is the image's own unit."""
    items = frame.get("RealWorldValueMappingSequence")
    if items is None or len(items) != 1:
        return None
    slope, intercept = (
        value_of(items[0], keyword) for keyword in ("RealWorldValueSlope", "RealWorldValueIntercept")
    )
    if not isinstance(slope, int | float) or not isinstance(intercept, int | float):
        return None
    return float(slope), float(intercept)


def _rescaled_range(frame: Frame, stored: NDArray[np.generic]) -> tuple[float, float]:
    # The whole stored range, so that all slices turn around the same value.
    if stored.dtype.kind not in "iu":
        values = cast("NDArray[np.float64]", stored)
        return float(np.min(values)), float(np.max(values))
    bits = int(frame.ds.BitsStored)
    signed = int(frame.ds.PixelRepresentation) == 1
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1])
    low, high = _rescaled(frame, ends)
    return float(low), float(high)
