"""Pixel data: bytes behind the last pixel are cut off, everything else stays as it is.

References
----------
PS3.5 §8; PS3.3 §C.7.6.3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from anonymizer.codec import PIXEL_DATA, Element, Encapsulated
from anonymizer.errors import CannotVouch
from anonymizer.part10 import text_value

if TYPE_CHECKING:
    from anonymizer.codec import Codec, Dataset

#: PixelData, FloatPixelData, DoubleFloatPixelData.
PIXELS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
ROWS, COLUMNS, SAMPLES, BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280002, 0x00280100
FRAMES, PHOTOMETRIC = 0x00280008, 0x00280004


def pixel_bytes(dataset: Dataset, codec: Codec) -> int | None:
    """Bytes that native pixels take, padding not counted; `None` where the description is incomplete."""
    numbers = []
    for tag in (ROWS, COLUMNS, SAMPLES, BITS_ALLOCATED):
        element = dataset.get(tag)
        if element is None or not isinstance(element.value, bytes) or len(element.value) != 2:
            return None
        numbers.append(int(struct.unpack(">H" if codec.big_endian else "<H", element.value)[0]))
    rows, columns, samples, bits = numbers
    frames = text_value(dataset, FRAMES) or "1"
    if not frames.isdigit():
        return None
    if text_value(dataset, PHOTOMETRIC) in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        samples = 2
    return (rows * columns * samples * bits * int(frames) + 7) // 8


def check_described(dataset: Dataset, codec: Codec) -> None:
    """Refuse native Pixel Data whose extent nobody can tell.

    Raises
    ------
    CannotVouch
    """
    native = any(not isinstance(dataset[tag].value, Encapsulated) for tag in PIXELS & dataset.keys())
    if native and pixel_bytes(dataset, codec) is None:
        raise CannotVouch(
            "pixels-not-described",
            "rows, columns, samples or bits are missing; repair the object",
            "PixelData",
        )


def cut_surplus(dataset: Dataset, codec: Codec) -> bool:
    """Cut what follows the last pixel of native pixel data (in place); whether there was something."""
    cut = False
    for tag in PIXELS & dataset.keys():
        vr, value = dataset[tag]
        expected = pixel_bytes(dataset, codec)
        if isinstance(value, list | Encapsulated) or expected is None:
            continue
        if len(value) > expected + (expected & 1):
            dataset[tag] = Element(vr, value[:expected])
            cut = True
    return cut
