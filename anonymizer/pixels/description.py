"""How pixels are stored: the attributes of the Image Pixel Module as numbers.

References
----------
PS3.3 §C.7.6.3 (Image Pixel), §C.11.2 (VOI LUT), §C.11.1 (Modality LUT); PS3.5 §8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from anonymizer.errors import CannotVouch
from anonymizer.part10 import text_value

if TYPE_CHECKING:
    from anonymizer.codec import Codec, Dataset

SAMPLES_PER_PIXEL, PHOTOMETRIC_INTERPRETATION, PLANAR_CONFIGURATION = 0x00280002, 0x00280004, 0x00280006
NUMBER_OF_FRAMES, ROWS, COLUMNS = 0x00280008, 0x00280010, 0x00280011
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, PIXEL_REPRESENTATION = 0x00280100, 0x00280101, 0x00280102, 0x00280103
PIXEL_PADDING_VALUE, WINDOW_CENTER, WINDOW_WIDTH = 0x00280120, 0x00281050, 0x00281051
RESCALE_INTERCEPT, RESCALE_SLOPE = 0x00281052, 0x00281053

SUBSAMPLED: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
COLOURS: Final = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT"})
GREYS: Final = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})


@dataclass(frozen=True, slots=True)
class Description:
    """The Image Pixel Module's numbers.

    Attributes
    ----------
    windows
        Lowest and highest stored value of each VOI window.
    padding
        Pixel Padding Value as it is stored, unsigned.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    planar: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    windows: tuple[tuple[float, float], ...] = ()
    padding: int | None = None


def number(dataset: Dataset, tag: int, codec: Codec) -> int | None:
    """The first value of a US, SS, UL or SL element; `None` where it is missing."""
    element = dataset.get(tag)
    if element is None or isinstance(element.value, list) or not hasattr(element.value, "__len__"):
        return None
    order = ">" if codec.big_endian else "<"
    size = 4 if element.vr in {"UL", "SL"} else 2
    value = bytes(element.value)[:size]  # type: ignore[arg-type]
    return int(struct.unpack(order + ("L" if size == 4 else "H"), value)[0]) if len(value) == size else None


def describe(dataset: Dataset, codec: Codec) -> Description:
    """Read how the pixels of a data set are stored.

    Raises
    ------
    CannotVouch
        `pixels-not-described` if something is missing or contradicts itself.
    """
    photometric = text_value(dataset, PHOTOMETRIC_INTERPRETATION).upper()
    rows, columns = number(dataset, ROWS, codec), number(dataset, COLUMNS, codec)
    samples = number(dataset, SAMPLES_PER_PIXEL, codec)
    allocated = number(dataset, BITS_ALLOCATED, codec)
    frames = text_value(dataset, NUMBER_OF_FRAMES) or "1"
    if not rows or not columns or allocated is None or not frames.isdigit() or int(frames) < 1:
        raise _undescribed()
    stored = number(dataset, BITS_STORED, codec) or allocated
    high = number(dataset, HIGH_BIT, codec)
    high = stored - 1 if high is None else high
    fits = allocated in {1, 8, 16, 32} and stored <= allocated and stored - 1 <= high < allocated
    colour = photometric in COLOURS
    if not fits or samples != (3 if colour else 1) or not (colour or photometric in GREYS):
        raise _undescribed()
    return Description(
        rows=rows,
        columns=columns,
        frames=int(frames),
        samples=samples,
        photometric=photometric,
        planar=number(dataset, PLANAR_CONFIGURATION, codec) or 0,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=number(dataset, PIXEL_REPRESENTATION, codec) == 1,
        windows=_windows(dataset),
        padding=number(dataset, PIXEL_PADDING_VALUE, codec),
    )


def _undescribed() -> CannotVouch:
    return CannotVouch(
        "pixels-not-described",
        "rows, columns, samples or bits are missing or contradict each other; repair the object",
        "PixelData",
    )


def _windows(dataset: Dataset) -> tuple[tuple[float, float], ...]:
    try:
        slope = float(text_value(dataset, RESCALE_SLOPE) or 1)
        intercept = float(text_value(dataset, RESCALE_INTERCEPT) or 0)
        centers = [float(part) for part in text_value(dataset, WINDOW_CENTER).split("\\") if part.strip()]
        widths = [float(part) for part in text_value(dataset, WINDOW_WIDTH).split("\\") if part.strip()]
    except ValueError:
        return ()
    if not slope:
        return ()
    ends = []
    for center, width in zip(centers, widths, strict=False):
        low, high = sorted(((c - intercept) / slope) for c in (center - width / 2, center + width / 2))
        if high > low:
            ends.append((low, high))
    return tuple(ends)
