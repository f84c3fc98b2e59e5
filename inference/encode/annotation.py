"""What is written over a picture: title, colour legend, scale bar, notice. The same on all of a series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.encode.context import RESEARCH_NOTICE

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Text takes at most this share of a picture's height above, and as much below.
MAX_TEXT = 0.3
MARGIN = 4
WHITE = (255, 255, 255)
_SCALE_LENGTHS = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
_SMALLEST, _LARGEST = 10, 24
#: A letter's height for so many pixels of the shorter side.
_SIDE_PER_HEIGHT = 36


@dataclass(frozen=True, slots=True)
class Caption:
    """What is written into the pictures.

    Attributes
    ----------
    lines
        Text for the upper left corner: model, version, what the colours mean.
    column_spacing
        Between the source's columns, mm: makes the scale bar. `None` where it is not known: the bar
        counts the source's pixels.
    unit
        Of the scale bar where the spacing is known; `mm at detector` in projections.
    legend
        Whether there are colours to explain.
    """

    lines: tuple[str, ...]
    column_spacing: float | None
    unit: str = "mm"
    legend: bool = True


@dataclass(frozen=True, slots=True)
class Annotation:
    """A layer to lay over pictures of one size.

    Attributes
    ----------
    places
        Flat indices of the pixels that it covers.
    letters
        Their RGB, (places, 3).
    """

    places: NDArray[np.intp]
    letters: NDArray[np.uint8]

    def lay_over(self, picture: NDArray[np.uint8]) -> None:
        """Write into a picture (rows, columns, 3)."""
        picture.reshape(-1, 3)[self.places] = self.letters


def annotate(canvas: tuple[int, int], caption: Caption, scale: float) -> Annotation:
    """Draw all text and bars for pictures of a size.

    Text stands in the upper left and lower left corner, the legend at the right edge; the middle stays
    free. What does not fit above is cut short with "..."; the notice never is.

    Parameters
    ----------
    scale
        Picture pixels for each of the source's columns.
    """
    sheet = _Sheet(*canvas)
    lines = [part for text in caption.lines for part in sheet.wrap(text)]
    room = max(1, int(MAX_TEXT * canvas[0]) // sheet.line)
    if len(lines) > room:
        lines = [*lines[: room - 1], sheet.shorten(lines[room - 1] + " ...")]
    for number, text in enumerate(lines):
        sheet.write(text, MARGIN, MARGIN + sheet.line * number)
    notice = sheet.wrap(RESEARCH_NOTICE)
    for number, text in enumerate(reversed(notice)):
        sheet.write(text, MARGIN, canvas[0] - MARGIN - sheet.line * (number + 1))
    if caption.legend:
        _legend(sheet)
    _scale_bar(sheet, caption, scale, canvas[0] - MARGIN - sheet.line * len(notice))
    places = np.flatnonzero(sheet.cover)
    return Annotation(places, sheet.layer.reshape(-1, 3)[places])


def colours() -> NDArray[np.uint8]:
    """Plasma as RGB, (256, 3): perceptually even, readable without colour vision, vivid at both ends."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[:, 0, ::-1], np.uint8)


class _Sheet:
    """Text and bars on a transparent sheet."""

    def __init__(self, rows: int, columns: int) -> None:
        self.layer = np.zeros((rows, columns, 3), np.uint8)
        self.cover = np.zeros((rows, columns), np.uint8)
        self.height = letter_height(rows, columns)
        self.line = round(self.height * 1.3)

    def write(self, text: str, left: int, top: int) -> None:
        """White letters on a black box; what reaches beyond the sheet is cut off."""
        stamp = text_stamp(text, self.height)
        rows, columns = self.cover.shape
        top, left = max(0, top), max(0, left)
        bottom, right = min(rows, top + stamp.shape[0]), min(columns, left + stamp.shape[1])
        self.layer[top:bottom, left:right] = stamp[: bottom - top, : right - left, None]
        self.cover[top:bottom, left:right] = 1

    def wrap(self, text: str) -> list[str]:
        """Break a text into lines that fit, at its spaces; a longer word is cut short."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and not self._fits(longer):
                lines.append(word)
            else:
                lines[-1] = longer
        return [self.shorten(line) for line in lines if line]

    def shorten(self, text: str) -> str:
        """The text, or as much of it as fits with "..." at its end."""
        if self._fits(text):
            return text
        kept = text.removesuffix(" ...")
        while kept and not self._fits(f"{kept}..."):
            kept = kept[:-1]
        return f"{kept}..."

    def width(self, text: str) -> int:
        """Columns that a text takes."""
        return int(text_stamp(text, self.height).shape[1])

    def _fits(self, text: str) -> bool:
        return self.width(text) <= self.cover.shape[1] - 2 * MARGIN


def letter_height(rows: int, columns: int) -> int:
    """Size of the font for a picture, so that it can be read where the picture is shown small."""
    return min(_LARGEST, max(_SMALLEST, min(rows, columns) // _SIDE_PER_HEIGHT))


def text_stamp(text: str, height: int) -> NDArray[np.uint8]:
    """A text as white on black, (rows, columns), 0 to 255."""
    font = _font(height)
    picture = Image.new("L", (int(font.getlength(text)) + 3, round(height * 1.3)), 0)
    ImageDraw.Draw(picture).text((1, 0), text, fill=255, font=font)
    return np.asarray(picture)


@cache
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def _legend(sheet: _Sheet) -> None:
    """The colours from 0 below to 1 above."""
    rows, columns = sheet.cover.shape
    height, width = max(32, rows // 3), max(8, columns // 64)
    top, left = (rows - height) // 2, columns - MARGIN - width
    levels = np.linspace(255, 0, height).astype(np.uint8)
    box = slice(top - 1, top + height + 1), slice(left - 1, left + width + 1)
    sheet.layer[box], sheet.cover[box] = WHITE, 1
    sheet.layer[top : top + height, left : left + width] = colours()[levels][:, None]
    for text, at in (("1", top - 2 - sheet.line), ("0", top + height + 2)):
        sheet.write(text, columns - MARGIN - sheet.width(text), at)


def _scale_bar(sheet: _Sheet, caption: Caption, scale: float, below: int) -> None:
    """A bar of a round length, at most two fifths of the picture long, above a row."""
    columns = sheet.cover.shape[1]
    known = caption.column_spacing is not None and caption.column_spacing > 0
    spacing = (caption.column_spacing or 1.0) / scale if known else 1 / scale
    unit = caption.unit if known else "px"
    longest = 0.4 * columns * spacing
    units = next((length for length in _SCALE_LENGTHS if length <= longest), None)
    if units is None:
        return
    length, left, thick = round(units / spacing), MARGIN + 1, max(2, sheet.height // 6)
    bottom = below - thick - 3
    rim = slice(bottom - 1, bottom + thick + 1), slice(left - 1, left + length + 1)
    sheet.layer[rim], sheet.cover[rim] = 0, 1
    sheet.layer[bottom : bottom + thick, left : left + length] = WHITE
    sheet.write(f"{units} {unit}", left + length + 4, below - 2 - sheet.line)
