"""Stored pixel values of one frame, decoded (PS3.3 §C.7.6.3, PS3.5 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.preprocess.frames import value_of
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.preprocess.frames import Frame

#: What every image says of its pixels (PS3.3 §C.7.6.3, Type 1).
_DESCRIPTION = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")


def is_colour(ds: Dataset) -> bool:
    """Whether pixels are colours: several samples, or one that a palette turns into colours."""
    if value_of(ds, "SamplesPerPixel") not in (None, 1):
        return True
    return str(value_of(ds, "PhotometricInterpretation")) == "PALETTE COLOR"


def read_stored(frame: Frame) -> NDArray[np.generic]:
    """Decode a grey frame; bits above Bits Stored are ignored, for overlays lie there in old files.

    Returns
    -------
    NDArray
        (rows, columns), the integers (or floats) that the instance holds; not kept in the data set.

    Raises
    ------
    VolumeRefused
        Rule `pixels`.
    """
    stored = _decode(frame)
    if stored.ndim != 2:
        raise VolumeRefused("pixels", "an image is not one plane of pixels")
    if stored.dtype.kind not in "iu":
        return stored
    return _without_unused_bits(frame.ds, cast("NDArray[np.integer]", stored))


def read_rgb(frame: Frame) -> NDArray[np.uint8]:
    """Decode a frame in colour, of whatever colour space or palette, to red, green and blue.

    Returns
    -------
    NDArray
        uint8 (rows, columns, 3).

    Raises
    ------
    VolumeRefused
        Rule `pixels`.
    """
    ds = frame.ds
    values = _decode(frame)
    bits = int(ds.BitsStored)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        values = _through_palette(ds, values)
        # Entries of 16 bits hold the colour in their upper half (PS3.3 §C.7.6.3.1.6).
        bits = 8
        if values.dtype.itemsize > 1:
            values = values >> 8
    if values.ndim != 3 or values.shape[2] != 3:
        raise VolumeRefused("pixels", "an image in colour has no three components")
    if bits == 8:
        return np.asarray(values, dtype=np.uint8)
    scaled = np.rint(values.astype(np.float32) * (255.0 / ((1 << bits) - 1)))
    return np.asarray(np.clip(scaled, 0, 255), dtype=np.uint8)


def _decode(frame: Frame) -> NDArray[Any]:
    _check_description(frame.ds)
    try:
        plane = _native_plane(frame)
        if plane is not None:
            return plane
        # Not `Dataset.pixel_array`, which keeps all frames, decoded, in the data set.
        return pixel_array(frame.ds, index=frame.index)
    except Exception as exc:
        # Codecs raise whatever they like; their text may hold values of the data set.
        raise VolumeRefused("pixels", f"an image cannot be decoded ({type(exc).__name__})") from exc


def _check_description(ds: Dataset) -> None:
    """Refuse what does not say how its pixels lie, before anything is computed from it."""
    # Pixels that are floats have no bits to tell of (§C.7.6.24).
    wanted = _DESCRIPTION if "PixelData" in ds else _DESCRIPTION[:2]
    found = [value_of(ds, keyword) for keyword in wanted]
    if not all(isinstance(value, int) and value >= 0 for value in found):
        raise VolumeRefused("pixels", "an image does not say how its pixels lie (Rows, Bits Stored ...)")


def _native_plane(frame: Frame) -> NDArray[Any] | None:
    """An uncompressed grey plane without pydicom's general decoder, which takes most of a read's time."""
    ds = frame.ds
    if (
        ds.file_meta.TransferSyntaxUID not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        or ds.BitsAllocated not in (8, 16)
        or int(ds.get("SamplesPerPixel") or 1) != 1
        or "PixelData" not in ds
    ):
        return None
    kind = np.dtype(f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}")
    size = int(ds.Rows) * int(ds.Columns)
    plane = np.frombuffer(ds.PixelData, kind, size, frame.index * size * kind.itemsize)
    return plane.reshape(int(ds.Rows), int(ds.Columns))


def _through_palette(ds: Dataset, values: NDArray[Any]) -> NDArray[Any]:
    try:
        return apply_color_lut(values, ds)
    except Exception as exc:
        raise VolumeRefused("pixels", f"a palette makes no sense ({type(exc).__name__})") from exc


def _without_unused_bits(ds: Dataset, stored: NDArray[np.integer]) -> NDArray[np.integer]:
    allocated, bits = int(ds.BitsAllocated), int(ds.BitsStored)
    if not 0 < bits <= allocated:
        raise VolumeRefused("pixels", "Bits Stored and Bits Allocated of an image contradict each other")
    if bits == allocated:
        return stored
    signed = int(ds.PixelRepresentation) == 1
    # As small as it was stored: a long series of these lies in memory as a whole.
    kind = f"{'i' if signed else 'u'}{stored.dtype.itemsize}"
    shift = 0 if ds.file_meta.TransferSyntaxUID.is_compressed else max(int(ds.HighBit) + 1 - bits, 0)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not shift and stored.size and low <= stored.min() and stored.max() <= high:
        return stored.astype(kind, copy=False)  # as nearly always: nothing stands beside the bits
    values = stored.astype(np.int64) >> shift
    values &= (1 << bits) - 1
    if signed:
        values -= (values >> (bits - 1)) << bits
    return values.astype(kind)
