"""Native pixel data: frames as arrays, boxes blacked out in place, unused bits cleared.

References
----------
PS3.5 §8.1.1, §8.2 (native format, high bit, unused bits), §A.3 (big endian); PS3.3 §C.7.6.3.1.2
(Photometric Interpretation), §C.9.2 (overlays in unused bits, retired).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anonymizer.errors import CannotVouch
from anonymizer.pixels.description import SUBSAMPLED, Description

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from anonymizer.pixels.boxes import Box

#: Black in colours; PS3.3 §C.7.6.3.1.2: YBR_PARTIAL leaves room below 16.
BLACK: Final = {"RGB": (0, 0, 0), "YBR_PARTIAL_422": (16, 128, 128)}
BLACK_YBR: Final = (0, 128, 128)


class NativePixels:
    """Pixel data in native format.

    Parameters
    ----------
    description
        How they are stored.
    data
        The value, at least as long as described; it is not changed.
    big_endian
        Byte order of the transfer syntax.
    vr
        OB or OW: in big endian, OW swaps pixels of 8 bits in pairs.

    Raises
    ------
    CannotVouch
        `pixels-not-described` if the value is shorter than described.
    """

    def __init__(
        self, description: Description, data: bytes | memoryview, *, big_endian: bool, vr: str
    ) -> None:
        self.description = description
        d = description
        self._order = ">" if big_endian else "<"
        self._swapped = big_endian and vr != "OB" and d.bits_allocated <= 8
        if d.bits_allocated == 1:
            bits = d.frames * d.rows * d.columns
            self._length = (bits + 7) // 8
            shape: tuple[int, ...] = (d.frames, d.rows, d.columns)
        elif d.photometric in SUBSAMPLED:
            if d.columns % 2 or d.bits_allocated != 8:
                raise _contradiction()
            shape = (d.frames, d.rows, d.columns // 2, 4)
        elif d.samples == 1:
            shape = (d.frames, d.rows, d.columns)
        elif d.planar:
            shape = (d.frames, d.samples, d.rows, d.columns)
        else:
            shape = (d.frames, d.rows, d.columns, d.samples)
        if d.bits_allocated > 1:
            self._length = int(np.prod(shape)) * d.bits_allocated // 8
        if len(data) < self._length:
            raise _contradiction()
        self._tail = len(data) - self._length
        self._shape = shape
        self._data: bytes | bytearray | memoryview = data
        self._array = self._open(data)

    def _open(self, data: bytes | bytearray | memoryview) -> NDArray[Any]:
        d = self.description
        if self._swapped:
            whole = np.frombuffer(data, np.uint8)
            whole = np.concatenate((whole, np.zeros(len(whole) % 2, np.uint8)))
            data = whole.reshape(-1, 2)[:, ::-1].tobytes()
        if d.bits_allocated == 1:
            raw = np.frombuffer(data, np.uint8, self._length)
            count = d.frames * d.rows * d.columns
            return np.unpackbits(raw, count=count, bitorder="little").reshape(self._shape)
        dtype = np.dtype(f"{self._order}u{d.bits_allocated // 8}")
        return np.frombuffer(data, dtype, int(np.prod(self._shape))).reshape(self._shape)

    # ------------------------------------------------------------------ looking

    def frame(self, index: int) -> NDArray[Any]:
        """Stored values of a frame: (rows, columns) or (rows, columns, 3), signed where they are."""
        d = self.description
        values: NDArray[Any] = self._array[index]
        if d.photometric in SUBSAMPLED:
            frame = np.empty((d.rows, d.columns, 3), np.uint8)
            frame[:, 0::2, 0], frame[:, 1::2, 0] = values[..., 0], values[..., 1]
            frame[..., 1], frame[..., 2] = (values[..., i].repeat(2, axis=1) for i in (2, 3))
            return frame
        if d.samples > 1:
            return values.transpose(1, 2, 0) if d.planar else values
        if d.bits_allocated == 1:
            return values
        low = d.high_bit + 1 - d.bits_stored
        native: NDArray[Any] = values.astype(values.dtype.newbyteorder("="), copy=False)
        if not d.signed:
            return native if d.bits_stored == d.bits_allocated else (native >> low) & (2**d.bits_stored - 1)
        up = d.bits_allocated - 1 - d.high_bit
        signed = (native << up).view(native.dtype.str.replace("u", "i"))
        return np.asarray(signed >> (up + low))

    # ------------------------------------------------------------------ changing

    def black_out(self, boxes: Iterable[Box], frames: Iterable[int], black: int) -> bool:
        """Blacken rectangles in frames; whether a stored value was another before.

        Parameters
        ----------
        frames
            Indices from 0.
        black
            The stored value for MONOCHROME and PALETTE COLOR; colours know theirs.
        """
        d = self.description
        array = self._writable()
        colour = BLACK.get(d.photometric, BLACK_YBR)
        if d.samples == 1:
            bits = black & (2**d.bits_allocated - 1)
            if d.bits_allocated > 1 and not d.signed:
                bits = (black << (d.high_bit + 1 - d.bits_stored)) & (2**d.bits_allocated - 1)
        changed = False
        spots = list(boxes)
        for index in frames:
            for box in spots:
                part = array[index]
                if d.photometric in SUBSAMPLED:
                    spot = part[box.y0 : box.y1, box.x0 // 2 : (box.x1 + 1) // 2]
                    value: Any = (colour[0], *colour)
                elif d.samples == 1:
                    spot, value = part[box.y0 : box.y1, box.x0 : box.x1], bits
                elif d.planar:
                    spot = part[:, box.y0 : box.y1, box.x0 : box.x1]
                    value = np.reshape(self._scaled(colour), (3, 1, 1))
                else:
                    spot, value = part[box.y0 : box.y1, box.x0 : box.x1], self._scaled(colour)
                changed = changed or bool((spot != value).any())
                spot[...] = value
        return changed

    def _scaled(self, colour: tuple[int, int, int]) -> NDArray[Any]:
        up = self.description.bits_stored - 8
        return np.array([part << up if up > 0 else part for part in colour], self._array.dtype)

    def _writable(self) -> NDArray[Any]:
        if not self._array.flags.writeable:
            self._array = self._array.copy()
        return self._array

    def clear_unused_bits(self) -> bool:
        """Clear the bits outside of Bits Stored; whether something stood there.

        The sign's extension and values equal to Pixel Padding Value are no use of these bits.
        """
        d = self.description
        low = d.high_bit + 1 - d.bits_stored
        if d.bits_allocated == 1 or d.bits_stored == d.bits_allocated:
            return False
        values = self._array
        used = ((1 << d.bits_stored) - 1) << low
        unused = np.array(((1 << d.bits_allocated) - 1) ^ used, values.dtype)
        if not int(np.bitwise_or.reduce(values & unused, axis=None)):
            return False
        above = np.array(((1 << d.bits_allocated) - 1) ^ ((1 << (d.high_bit + 1)) - 1), values.dtype)
        clean = values & np.array(used, values.dtype)
        if d.signed:
            negative = (values & np.array(1 << d.high_bit, values.dtype)) != 0
            clean = np.where(negative, clean | above, clean)
        if d.padding is not None:
            clean = np.where(values == np.array(d.padding, values.dtype), values, clean)
        if np.array_equal(clean, values):
            return False
        self._array = clean.astype(values.dtype).reshape(self._shape)
        return True

    def value(self) -> bytes:
        """The value of Pixel Data, of the same length as it came."""
        d = self.description
        if d.bits_allocated == 1:
            packed = np.packbits(self._array.reshape(-1), bitorder="little").tobytes()
        else:
            packed = self._array.tobytes()
        if self._swapped:
            packed += b"\0" * (len(packed) % 2)
            packed = np.frombuffer(packed, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        return packed + bytes(self._data[len(packed) : self._length + self._tail])


def _contradiction() -> CannotVouch:
    return CannotVouch(
        "pixels-not-described", "the pixels are shorter than described; repair the object", "PixelData"
    )
