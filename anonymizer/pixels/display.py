"""Frames as a person would see them: 8 bits, several windows at once, colours as RGB.

References
----------
PS3.3 §C.7.6.3.1.2 (conversions of YBR), §C.7.6.3.1.5 (palettes), §C.11.2.1.2 (windows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.dataset import Dataset as PydicomDataset
from pydicom.pixels.processing import apply_color_lut

from anonymizer.errors import CannotVouch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from anonymizer.codec import Codec, Dataset
    from anonymizer.pixels.description import Description

#: Red, green and blue lookup table: descriptors, data, segmented data.
_DESCRIPTORS: Final = (0x00281101, 0x00281102, 0x00281103)
_TABLES: Final = (0x00281201, 0x00281202, 0x00281203, 0x00281221, 0x00281222, 0x00281223)
#: Percentiles that leave out what outshines the rest.
_PERCENTILES: Final = (0.5, 99.5)


class Display:
    """Turns stored values into what a screen would show.

    Parameters
    ----------
    description
        How the pixels are stored.
    dataset
        Read for the palette.

    Raises
    ------
    CannotVouch
        `pixels-not-described` if a palette is missing or broken.
    """

    def __init__(self, description: Description, dataset: Dataset, codec: Codec) -> None:
        self.description = description
        self._palette = _palette(dataset, codec) if description.photometric == "PALETTE COLOR" else None

    def picture(self, frame: NDArray[Any]) -> NDArray[np.uint8]:
        """A frame as (rows, columns, 3): RGB, or three windows of a grey one side by side.

        Parameters
        ----------
        frame
            Stored values as `NativePixels.frame` gives them.
        """
        d = self.description
        colours = self._colours(frame)
        if colours is not None:
            return _stretched(colours)
        values = self._without_padding(np.asarray(frame, np.float32))
        low, high = float(values.min()), float(values.max())
        if d.bits_allocated <= 8:
            return np.repeat(_windowed(values, low, high)[..., None], 3, axis=2)
        channels = [
            _windowed(values, low, high),
            _windowed(values, *np.percentile(values[::2, ::2], _PERCENTILES)),
        ]
        window = d.windows[0] if d.windows else None
        channels.append(_windowed(values, *window) if window else channels[0])
        return np.stack(channels, axis=2)

    def range(self, frames: Iterable[NDArray[Any]]) -> tuple[float, float]:
        """The lowest and highest value of all frames, on the scale that `steady` asks for."""
        low, high = np.inf, -np.inf
        for frame in frames:
            colours = self._colours(frame)
            if colours is not None:
                return 0.0, float(np.iinfo(colours.dtype).max)
            values = self._without_padding(np.asarray(frame, np.float32))
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        return low, high

    def steady(self, frame: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint8]:
        """A frame as (rows, columns, 3), one value always the same grey, so that frames can be compared."""
        colours = self._colours(frame)
        if colours is not None:
            return _windowed(np.asarray(colours, np.float32), *limits)
        grey = _windowed(self._without_padding(np.asarray(frame, np.float32)), *limits)
        return np.repeat(grey[..., None], 3, axis=2)

    def _colours(self, frame: NDArray[Any]) -> NDArray[Any] | None:
        if self._palette is not None:
            first, colours = self._palette
            return np.asarray(colours[np.clip(frame.astype(np.int64) - first, 0, len(colours) - 1)])
        return _rgb(frame, self.description) if self.description.samples == 3 else None

    def _without_padding(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        d = self.description
        if d.padding is None:
            return values
        stored = d.padding
        sign = 1 << (d.bits_allocated - 1)
        padding = (stored ^ sign) - sign if d.signed else stored
        others = values[values != padding]
        return np.where(values == padding, others.min(), values) if len(others) else values

    def black(self, frames: list[NDArray[Any]]) -> int:
        """The stored value that is black on a screen, one that does not widen the range of values."""
        d = self.description
        if self._palette is not None:
            first, colours = self._palette
            return int(first + np.argmin(colours.astype(np.int64).sum(1)))
        if d.photometric == "MONOCHROME1":
            return max(int(frame.max()) for frame in frames)
        return min(int(frame.min()) for frame in frames) if d.signed else 0


def _windowed(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    scale = 255 / max(high - low, 1e-6)
    return np.asarray(np.clip((values - low) * scale, 0, 255), np.uint8)


def _stretched(colours: NDArray[Any]) -> NDArray[np.uint8]:
    values = np.asarray(colours, np.float32)
    low, high = float(values.min()), float(values.max())
    if colours.dtype == np.uint8 and high - low > 160:
        return np.ascontiguousarray(colours)
    return _windowed(values, low, high)


def _rgb(frame: NDArray[Any], description: Description) -> NDArray[Any]:
    if description.photometric == "RGB":
        return np.asarray(frame)
    values = np.asarray(frame, np.float32) * (255 / (2**description.bits_stored - 1))
    y, cb, cr = values[..., 0], values[..., 1] - 128, values[..., 2] - 128
    if description.photometric == "YBR_PARTIAL_422":
        y, cb, cr = (y - 16) * 1.1644, cb * 1.1384, cr * 1.1384
    rgb = np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), axis=2)
    return np.asarray(np.clip(rgb, 0, 255), np.uint8)


def _palette(dataset: Dataset, codec: Codec) -> tuple[int, NDArray[Any]]:
    """First stored value that is mapped, and the colours from there on."""
    from pydicom.dataelem import DataElement

    source = PydicomDataset()
    source.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    try:
        order = ">" if codec.big_endian else "<"
        for tag in _DESCRIPTORS:
            raw = bytes(dataset[tag].value)  # type: ignore[arg-type]
            source.add(DataElement(tag, "US", np.frombuffer(raw, order + "u2").tolist()))
        for tag in _TABLES:
            if tag in dataset:
                raw = bytes(dataset[tag].value)  # type: ignore[arg-type]
                if codec.big_endian and dataset[tag].vr != "OB":
                    raw = np.frombuffer(raw, ">u2").astype("<u2").tobytes()
                source.add(DataElement(tag, "OW", raw))
        entries, first, _ = np.frombuffer(bytes(dataset[_DESCRIPTORS[0]].value), order + "u2")  # type: ignore[arg-type]
        count = int(entries) or 1 << 16
        indices = np.arange(int(first), int(first) + count, dtype=np.uint32)
        return int(first), np.asarray(apply_color_lut(indices, source))
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError, IndexError) as error:
        raise CannotVouch(
            "pixels-not-described", "the palette is missing or broken; repair the object", "PixelData"
        ) from error
