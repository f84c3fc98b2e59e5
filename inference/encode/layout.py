"""How large a slice is drawn, and where it lies in its picture."""

from __future__ import annotations

from dataclasses import dataclass

#: A slice with a shorter side than this many pixels is drawn larger, so that the text can be read.
MIN_SIDE = 160
#: A slice with a longer side is drawn smaller: a radiograph's four thousand pixels show no more heat.
MAX_SIDE = 1280


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixels of a slice lie in its picture.

    Attributes
    ----------
    source
        Rows and columns of the slice.
    drawn
        Rows and columns that it takes in the picture.
    canvas
        Rows and columns of the picture; the slice is in its middle.
    """

    source: tuple[int, int]
    drawn: tuple[int, int]
    canvas: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Picture pixels for each source pixel, along rows and columns of the matrix."""
        return self.drawn[0] / self.source[0], self.drawn[1] / self.source[1]

    @property
    def offset(self) -> tuple[int, int]:
        """Row and column of the picture where the slice begins."""
        return (self.canvas[0] - self.drawn[0]) // 2, (self.canvas[1] - self.drawn[1]) // 2

    @property
    def first_pixel(self) -> tuple[float, float]:
        """Row and column, in source pixels, of the centre of the picture's first pixel."""
        rows, columns = (
            (0.5 - offset) / scale - 0.5 for offset, scale in zip(self.offset, self.scale, strict=True)
        )
        return rows, columns

    def to_canvas(self, row: float, column: float) -> tuple[int, int]:
        """Where an edge of source pixels (the first reaches from 0 to 1) lies in the picture."""
        down, across = self.scale
        top, left = self.offset
        return round(row * down) + top, round(column * across) + left


def lay_out(rows: int, columns: int) -> Layout:
    """Draw a slice as it is, a small one enlarged by a whole number, a large one reduced.

    What stays narrower than `MIN_SIDE` gets black beside it.
    """
    shorter, longer = min(rows, columns), max(rows, columns)
    factor: float = 1
    if longer > MAX_SIDE:
        factor = MAX_SIDE / longer
    elif shorter < MIN_SIDE:
        factor = min(-(-MIN_SIDE // shorter), MAX_SIDE // longer)
    drawn = max(1, round(rows * factor)), max(1, round(columns * factor))
    return Layout((rows, columns), drawn, (max(drawn[0], MIN_SIDE), max(drawn[1], MIN_SIDE)))
