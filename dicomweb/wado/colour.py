"""Colour from stored values to 8 bits a channel: palettes, true colour, segments in their own colours.

References
----------
PS3.3 §C.7.6.3.1.2 (photometric interpretations), PS3.3 §C.8.20.2 (segments), PS3.3 §C.10.7.1.1 (CIELab).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import SegmentationStorage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

LABEL_MAP_SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
#: For segments without a recommended colour, in turn.
_COLOURS = (
    (230, 60, 60),
    (70, 190, 90),
    (80, 130, 240),
    (240, 200, 60),
    (200, 100, 220),
    (70, 200, 210),
    (240, 140, 50),
)
#: From D50, the white of the profile connection space, adapted to D65.
_XYZ_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def is_segmentation(ds: Dataset) -> bool:
    """Whether its pixels say which segment they belong to."""
    return str(ds.get("SOPClassUID", "")) in {SegmentationStorage, LABEL_MAP_SEGMENTATION_STORAGE}


def is_colour(ds: Dataset, pixels: NDArray[Any]) -> bool:
    """Whether the frame is shown in colour without a window."""
    return pixels.ndim == 3 or ds.get("PhotometricInterpretation") == "PALETTE COLOR"


def to_colour(pixels: NDArray[Any], ds: Dataset) -> NDArray[np.uint8]:
    """A frame of true colour or of palette indices, shape (rows, columns, 3)."""
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR" and pixels.ndim == 2:
        return _eight_bits(apply_color_lut(pixels, ds)[..., :3], 16)
    return _eight_bits(pixels[..., :3], int(ds.get("BitsStored", 8) or 8))


def segments_in_colour(pixels: NDArray[Any], ds: Dataset, index: int) -> NDArray[np.uint8]:
    """A frame of a segmentation, each segment in its recommended colour on black."""
    if str(ds.get("SegmentationType", "")) == "LABELMAP" or is_label_map(ds):
        table = np.zeros((int(pixels.max(initial=0)) + 1, 3), np.uint8)
        for position, item in enumerate(ds.get("SegmentSequence") or ()):
            number = int(item.get("SegmentNumber", 0) or 0)
            if 0 < number < len(table):
                table[number] = _colour_of(item, position)
        return np.asarray(table[pixels], np.uint8)
    strength = pixels.astype(np.float64)
    if str(ds.get("SegmentationType", "BINARY")) == "FRACTIONAL":
        strength /= max(1, int(ds.get("MaximumFractionalValue", 255) or 255))
    colour = np.array(_segment_colour(ds, index), np.float64)
    return (np.clip(strength, 0, 1)[..., None] * colour + 0.5).astype(np.uint8)


def is_label_map(ds: Dataset) -> bool:
    """Whether pixel values are the numbers of segments."""
    return str(ds.get("SOPClassUID", "")) == LABEL_MAP_SEGMENTATION_STORAGE


def _segment_colour(ds: Dataset, index: int) -> tuple[int, int, int]:
    """Of the segment that a frame of a BINARY or FRACTIONAL segmentation belongs to."""
    number = 1
    shared = ds.get("SharedFunctionalGroupsSequence") or ()
    per_frame = ds.get("PerFrameFunctionalGroupsSequence") or ()
    for group in (*per_frame[index : index + 1], *shared[:1]):
        named = group.get("SegmentIdentificationSequence")
        if named:
            number = int(named[0].get("ReferencedSegmentNumber", 1) or 1)
            break
    for position, item in enumerate(ds.get("SegmentSequence") or ()):
        if int(item.get("SegmentNumber", 0) or 0) == number:
            return _colour_of(item, position)
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _colour_of(item: Dataset, position: int) -> tuple[int, int, int]:
    value = item.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return _COLOURS[position % len(_COLOURS)]
    return cielab_to_rgb(tuple(int(part) for part in value))


def cielab_to_rgb(encoded: tuple[int, ...]) -> tuple[int, int, int]:
    """A CIELab value as DICOM encodes it, each of three from 0 to 65535, in sRGB."""
    lightness = encoded[0] * 100 / 65535
    a, b = (part * 255 / 65535 - 128 for part in encoded[1:3])
    y = (lightness + 16) / 116
    ratios = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(ratios > 6 / 29, ratios**3, 3 * (6 / 29) ** 2 * (ratios - 4 / 29))
    linear = np.clip(_XYZ_TO_SRGB @ (xyz * np.array([0.9642, 1.0, 0.8249])), 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(part) for part in (curved * 255 + 0.5))
    return red, green, blue


def _eight_bits(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return (pixels.astype(np.uint32) >> max(0, bits - 8)).clip(0, 255).astype(np.uint8)
