"""Pictures of what a model drew over its source: slices, colours, boxes, legend, scale and notice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from inference.encode.annotation import annotate, colours, letter_height, text_stamp
from inference.encode.layout import Layout, lay_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.encode.annotation import Caption

#: Below this level nothing is drawn over the slice.
VISIBLE_FROM = 0.05
#: How much of the colour covers the slice at level 1.
OPACITY = 0.45
#: Cyan: far from every colour of the map, for people who see few colours too.
BOX_COLOUR = (0, 255, 255)
#: A smaller box would not be seen, picture pixels.
_LEAST_BOX = 3


@dataclass(frozen=True, slots=True)
class PictureBox:
    """A box to draw: its edges in source pixels (the first reaches from 0 to 1), and what stands at it."""

    top: float
    left: float
    bottom: float
    right: float
    text: str


class Painter:
    """Draws slices of one size, each by itself, so that only one is in memory.

    Parameters
    ----------
    shape
        Rows and columns of the slices.
    """

    def __init__(self, shape: tuple[int, int], caption: Caption) -> None:
        self.layout: Layout = lay_out(*shape)
        self._annotation = annotate(self.layout.canvas, caption, self.layout.scale[1])

    def paint(
        self,
        slice_: NDArray[np.uint8],
        level: NDArray[np.floating] | None,
        boxes: tuple[PictureBox, ...] = (),
    ) -> NDArray[np.uint8]:
        """Draw one slice.

        Parameters
        ----------
        slice_
            (rows, columns) in grey or (rows, columns, 3) in RGB, 0 to 255.
        level
            0 to 1, (rows, columns): drawn in plasma over the slice. `None` draws none.

        Returns
        -------
        NDArray[np.uint8]
            RGB, `layout.canvas` and 3.
        """
        shown = self._sized(slice_)
        picture = cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB) if shown.ndim == 2 else shown.copy()
        if level is not None:
            tints, remaining = _overlay()
            levels = self._sized(_level(level))
            # colour x opacity + slice x (1 - opacity), both from tables over the 256 levels
            rest = cv2.cvtColor(cv2.LUT(levels, remaining), cv2.COLOR_GRAY2RGB)
            picture = cv2.add(cv2.applyColorMap(levels, tints), cv2.multiply(picture, rest, scale=1 / 255))
        if self.layout.canvas != self.layout.drawn:
            picture = self._padded(picture)
        for box in boxes:
            self._draw_box(picture, box)
        self._annotation.lay_over(picture)
        return np.asarray(picture, np.uint8)

    def _sized(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, columns = self.layout.drawn
        if (rows, columns) == plane.shape[:2]:
            return np.ascontiguousarray(plane)
        larger = rows > plane.shape[0]
        # Enlarged pixels stay pixels; reduced ones are averaged.
        how = cv2.INTER_NEAREST if larger else cv2.INTER_AREA
        return np.asarray(cv2.resize(np.ascontiguousarray(plane), (columns, rows), interpolation=how))

    def _padded(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        padded = np.zeros((*self.layout.canvas, 3), np.uint8)
        (top, left), (rows, columns) = self.layout.offset, self.layout.drawn
        padded[top : top + rows, left : left + columns] = picture
        return padded

    def _draw_box(self, picture: NDArray[np.uint8], box: PictureBox) -> None:
        """A rim on black, seen on every ground, and its text above, or below where no room is."""
        rows, columns = self.layout.source
        top, left = self.layout.to_canvas(max(box.top, 0), max(box.left, 0))
        bottom, right = self.layout.to_canvas(min(box.bottom, rows), min(box.right, columns))
        bottom, right = max(bottom, top + _LEAST_BOX), max(right, left + _LEAST_BOX)
        height = letter_height(*self.layout.canvas)
        thick = max(1, height // 10)
        for colour, width in (((0, 0, 0), thick + 2), (BOX_COLOUR, thick)):
            cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, width)
        stamp = text_stamp(box.text, height)
        tall, wide = stamp.shape
        row = top - tall - thick - 1
        if row < 0:
            row = min(bottom + thick + 1, picture.shape[0] - tall)
        column = max(0, min(left, picture.shape[1] - wide))
        target = picture[row : row + tall, column : column + wide]
        tint = np.array(BOX_COLOUR, np.float32) / 255
        target[:] = (stamp[: target.shape[0], : target.shape[1], None] * tint).astype(np.uint8)


def _level(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0 to 1 as 0 to 255; what is no number is 0."""
    if values.dtype != np.float16:
        return _rounded(values)
    return np.asarray(np.take(_half_levels(), np.ascontiguousarray(values).view(np.uint16)))


@cache
def _half_levels() -> NDArray[np.uint8]:
    """The level of each number of 16 bits: a table is much faster than to convert them."""
    return _rounded(np.arange(2**16, dtype=np.uint16).view(np.float16))


def _rounded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    whole = np.nan_to_num(values.astype(np.float32), nan=0, posinf=1, neginf=0)
    return np.asarray((np.clip(whole, 0, 1) * 255 + 0.5), np.uint8)


@cache
def _overlay() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour times opacity (256, 1, 3), and what remains of the slice (256), both by level."""
    level = np.arange(256, dtype=np.float32) / 255
    opacity = np.where(level < VISIBLE_FROM, 0, OPACITY * (0.4 + 0.6 * level))
    tints = (colours().astype(np.float32) * opacity[:, None]).round().astype(np.uint8)
    return tints[:, None], (255 * (1 - opacity)).round().astype(np.uint8)
