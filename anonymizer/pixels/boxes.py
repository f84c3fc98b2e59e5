"""Rectangles in pixels."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle [x0, x1) x [y0, y1), counted from the upper left corner."""

    x0: int
    y0: int
    x1: int
    y1: int

    def moved(self, x: int, y: int) -> Box:
        """The same rectangle elsewhere."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)
