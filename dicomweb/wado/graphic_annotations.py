"""Text and graphics of a presentation state, drawn onto a picture.

References
----------
PS3.3 §C.10.5 (Graphic Annotation Module).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image
    from pydicom.dataset import Dataset

    _Point = tuple[float, float]
    _Placing = Callable[[float, float], _Point]

#: Objects and points that are drawn; a state with more is no picture any more.
_MAX_OBJECTS, _MAX_POINTS = 512, 4096
_CURVE_POINTS = 64


def draw_annotations(
    picture: Image.Image, items: Sequence[Dataset], place: Callable[[float, float], tuple[float, float]]
) -> Image.Image:
    """A copy of the picture with the objects of Graphic Annotation Sequence items.

    Parameters
    ----------
    place
        Where a point of the image, in pixels from its upper left corner, lies in the picture.
    """
    picture = picture.copy()
    pen = _Pen(picture)

    def within(x: float, y: float) -> tuple[float, float]:
        return x * picture.width, y * picture.height

    for item in items:
        for graphic in list(item.get("GraphicObjectSequence") or ())[:_MAX_OBJECTS]:
            relative = graphic.get("GraphicAnnotationUnits") == "DISPLAY"
            _draw_graphic(pen, graphic, within if relative else place)
        for text in list(item.get("TextObjectSequence") or ())[:_MAX_OBJECTS]:
            _draw_text(pen, text, place, within)
    return picture


class _Pen:
    """Draws white with a black edge, so that it shows on any ground."""

    def __init__(self, picture: Image.Image) -> None:
        self.draw = ImageDraw.Draw(picture)
        self.width = max(1, min(picture.size) // 256)
        self.font = ImageFont.load_default(max(10, min(picture.size) // 32))
        gray = picture.mode == "L"
        self.white: int | tuple[int, int, int] = 255 if gray else (255, 255, 255)
        self.black: int | tuple[int, int, int] = 0 if gray else (0, 0, 0)

    def line(self, points: list[tuple[float, float]], *, filled: bool) -> None:
        if filled and len(points) > 2:
            self.draw.polygon(points, fill=self.white, outline=self.black)
            return
        self.draw.line(points, fill=self.black, width=self.width + 2, joint="curve")
        self.draw.line(points, fill=self.white, width=self.width, joint="curve")

    def point(self, at: tuple[float, float]) -> None:
        reach = self.width * 3
        self.line([(at[0] - reach, at[1]), (at[0] + reach, at[1])], filled=False)
        self.line([(at[0], at[1] - reach), (at[0], at[1] + reach)], filled=False)

    def text(self, at: tuple[float, float], text: str) -> None:
        self.draw.multiline_text(
            at, text, fill=self.white, font=self.font, stroke_width=1, stroke_fill=self.black
        )


def _draw_graphic(pen: _Pen, graphic: Dataset, place: _Placing) -> None:
    data = [float(value) for value in list(graphic.get("GraphicData") or ())[: 2 * _MAX_POINTS]]
    points = list(zip(data[0::2], data[1::2], strict=False))
    if not points or not all(math.isfinite(value) for value in data):
        return
    kind = str(graphic.get("GraphicType", ""))
    filled = graphic.get("GraphicFilled") == "Y"
    if kind == "POINT":
        pen.point(place(*points[0]))
    elif kind in {"POLYLINE", "INTERPOLATED"} and len(points) > 1:
        pen.line([place(*point) for point in points], filled=filled and points[0] == points[-1])
    elif kind == "CIRCLE" and len(points) == 2:
        radius = math.dist(*points)
        pen.line([place(*point) for point in _ellipse(points[0], (radius, 0), (0, radius))], filled=filled)
    elif kind == "ELLIPSE" and len(points) == 4:
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points
        major, minor = ((bx - ax) / 2, (by - ay) / 2), ((dx - cx) / 2, (dy - cy) / 2)
        centre = (ax + bx) / 2, (ay + by) / 2
        pen.line([place(*point) for point in _ellipse(centre, major, minor)], filled=filled)


def _ellipse(centre: _Point, major: _Point, minor: _Point) -> list[_Point]:
    angles = [2 * math.pi * step / _CURVE_POINTS for step in range(_CURVE_POINTS + 1)]
    return [
        (
            centre[0] + major[0] * math.cos(angle) + minor[0] * math.sin(angle),
            centre[1] + major[1] * math.cos(angle) + minor[1] * math.sin(angle),
        )
        for angle in angles
    ]


def _draw_text(pen: _Pen, item: Dataset, place: _Placing, within: _Placing) -> None:
    text = str(item.get("UnformattedTextValue", "") or "")
    for keyword, units in (
        ("BoundingBoxTopLeftHandCorner", "BoundingBoxAnnotationUnits"),
        ("AnchorPoint", "AnchorPointAnnotationUnits"),
    ):
        corner = item.get(keyword)
        if text and corner is not None and len(corner) == 2:
            putting = within if item.get(units) == "DISPLAY" else place
            at = putting(float(corner[0]), float(corner[1]))
            if all(math.isfinite(value) for value in at):
                pen.text(at, text[:1024])
            return
