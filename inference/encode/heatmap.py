"""Pictures of a probability map over its source: grey slices, colours, legend, scale and notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inference.encode.context import RESEARCH_NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    _Convert = Callable[[NDArray[np.generic]], NDArray[np.uint8]]

#: Below this probability nothing is drawn over the slice.
VISIBLE_FROM = 0.05
#: How much of the colour covers the slice at probability 1.
OPACITY = 0.45
#: A slice with a shorter side than this many pixels is drawn larger, so that the text can be read.
MIN_SIDE = 160

_FONT_SIZE = 10
_LINE = 13
_MARGIN = 4
_WHITE = (255, 255, 255)
_SCALE_LENGTHS_MM = (100, 50, 20, 10, 5, 2, 1)


@dataclass(frozen=True, slots=True)
class Caption:
    """What is written into the pictures.

    Attributes
    ----------
    lines
        Text for the upper left corner.
    column_spacing
        Between the source's columns, mm: makes the scale bar.
    """

    lines: tuple[str, ...]
    column_spacing: float


def enlargement(rows: int, columns: int) -> int:
    """By how much slices are drawn larger: 1, or more for a matrix on which no text fits."""
    return -(-MIN_SIDE // min(rows, columns))


def render_heatmaps(
    pixels: NDArray[np.generic], probability: NDArray[np.float16], caption: Caption, *, inverted: bool = False
) -> NDArray[np.uint8]:
    """Draw the probability of each slice in colour (plasma) over the slice in grey.

    Parameters
    ----------
    pixels
        (slices, rows, columns), stored values. One window, from the 0.5th to the 99.5th percentile
        of what is not background, serves all slices.
    probability
        0 to 1, of the same shape.
    inverted
        Whether low values are bright (MONOCHROME1).

    Returns
    -------
    NDArray[np.uint8]
        RGB, (slices, rows, columns, 3), both sides times `enlargement`.
    """
    count, rows, columns = pixels.shape
    factor = enlargement(rows, columns)
    size = (columns * factor, rows * factor)
    grey_table = _tabulate(_grey_window(pixels, inverted=inverted), pixels.dtype)
    level_table = _tabulate(_level, probability.dtype)
    colour, remaining = _overlay_tables()
    layer, cover = _annotation(size, caption, factor)
    annotated = np.flatnonzero(cover.any(axis=2))
    letters = layer.reshape(-1, 3)[annotated]
    out = np.empty((count, size[1], size[0], 3), np.uint8)
    for index in range(count):
        grey, level = grey_table(pixels[index]), level_table(probability[index])
        if factor > 1:
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_NEAREST)
            level = cv2.resize(level, size, interpolation=cv2.INTER_NEAREST)
        frame = out[index]
        # colour x opacity + grey x (1 - opacity), both from tables over the 256 levels
        dimmed = cv2.multiply(grey, cv2.LUT(level, remaining), scale=1 / 255)
        tint = cv2.applyColorMap(level, colour)
        cv2.add(tint, cv2.cvtColor(dimmed, cv2.COLOR_GRAY2RGB), dst=frame)
        frame.reshape(-1, 3)[annotated] = letters
    return out


def _tabulate(convert: _Convert, dtype: np.dtype[np.generic]) -> _Convert:
    """The same conversion by a table of all values of an 8- or 16-bit type, which is much faster."""
    if dtype.itemsize > 2:
        return convert
    code = np.dtype(f"u{dtype.itemsize}")
    table = convert(np.arange(256**dtype.itemsize, dtype=code).view(dtype))
    return lambda plane: np.take(table, np.ascontiguousarray(plane).view(code))


def _level(probability: NDArray[np.generic]) -> NDArray[np.uint8]:
    """0 to 1 as 0 to 255; what is no number is 0."""
    values = np.nan_to_num(probability.astype(np.float32), nan=0, posinf=1, neginf=0)
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _grey_window(pixels: NDArray[np.generic], *, inverted: bool) -> _Convert:
    # Every fourth pixel and slice says as much about the window, in a sixteenth of the time.
    sample = pixels[:: max(1, len(pixels) // 48), ::4, ::4].astype(np.float32).ravel()
    background = float(sample.max() if inverted else sample.min())
    tissue = sample[sample != background]
    low, high = np.percentile(tissue, (0.5, 99.5)).tolist() if tissue.size else (background, background + 1)
    if high == low:
        low, high = sorted((background, high))
    scale = 255 / (high - low)

    def convert(plane: NDArray[np.generic]) -> NDArray[np.uint8]:
        values = (plane.astype(np.float32) - low) * scale
        grey = np.clip(values, 0, 255).astype(np.uint8)
        return 255 - grey if inverted else grey

    return convert


def _overlay_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour times opacity (256, 1, 3), and what remains of the grey (256), both by level."""
    level = np.arange(256, dtype=np.float32) / 255
    opacity = np.where(level < VISIBLE_FROM, 0, OPACITY * (0.4 + 0.6 * level))
    colour = _colours().astype(np.float32) * opacity[:, None]
    return colour.round().astype(np.uint8)[:, None], (255 * (1 - opacity)).round().astype(np.uint8)


def _colours() -> NDArray[np.uint8]:
    """Plasma as RGB, (256, 3): perceptually even, readable without colour vision, vivid at both ends."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[:, 0, ::-1], np.uint8)


def _annotation(
    size: tuple[int, int], caption: Caption, factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Text, colour bar and scale bar, the same on every slice: the layer, and where it covers."""
    columns, rows = size
    layer = np.zeros((rows, columns, 3), np.uint8)
    cover = np.zeros((rows, columns, 3), np.uint8)
    titles = [part for text in caption.lines for part in _wrap(text, columns - 2 * _MARGIN)]
    for line, text in enumerate(titles):
        _write(layer, cover, text, (_MARGIN, _MARGIN + _LINE * line))
    notice = _wrap(RESEARCH_NOTICE, columns - 2 * _MARGIN)
    for line, text in enumerate(reversed(notice)):
        _write(layer, cover, text, (_MARGIN, rows - _MARGIN - _LINE * (line + 1)))
    _colour_bar(layer, cover)
    bottom = rows - _MARGIN - _LINE * len(notice) - 4
    _scale_bar(layer, cover, caption.column_spacing / factor, bottom)
    return layer, cover


def _write(layer: NDArray[np.uint8], cover: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    """Write white letters on a black box whose upper left corner is `at` (column, row)."""
    width, height = _text_size(text)
    columns, rows = min(at[0] + width, layer.shape[1]), min(at[1] + height, layer.shape[0])
    picture = Image.new("L", (width, height), 0)
    ImageDraw.Draw(picture).text((1, 0), text, fill=255, font=_font())
    box = np.asarray(picture)[: rows - at[1], : columns - at[0], None]
    layer[at[1] : rows, at[0] : columns] = box
    cover[at[1] : rows, at[0] : columns] = 255


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)


def _text_size(text: str) -> tuple[int, int]:
    return int(_font().getlength(text)) + 3, _LINE


def _wrap(text: str, width: int) -> list[str]:
    """Break a text into lines that fit, at its spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _text_size(longer)[0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _colour_bar(layer: NDArray[np.uint8], cover: NDArray[np.uint8]) -> None:
    rows, columns = layer.shape[:2]
    height, width = max(32, rows // 3), 8
    top, left = (rows - height) // 2, columns - _MARGIN - width
    levels = np.linspace(255, 0, height).astype(np.uint8)
    layer[top : top + height, left : left + width] = _colours()[levels][:, None]
    cover[top : top + height, left : left + width] = 255
    cv2.rectangle(layer, (left - 1, top - 1), (left + width, top + height), _WHITE, 1)
    cv2.rectangle(cover, (left - 1, top - 1), (left + width, top + height), _WHITE, 1)
    _write(layer, cover, "p=1", (columns - _MARGIN - _text_size("p=1")[0], top - 2 - _LINE))
    _write(layer, cover, "0", (columns - _MARGIN - _text_size("0")[0], top + height + 2))


def _scale_bar(layer: NDArray[np.uint8], cover: NDArray[np.uint8], spacing: float, bottom: int) -> None:
    columns = layer.shape[1]
    longest = 0.4 * columns * spacing
    millimetres = next((length for length in _SCALE_LENGTHS_MM if length <= longest), None)
    if millimetres is None:
        return
    length = round(millimetres / spacing)
    left = _MARGIN + 1
    for target, colour in ((cover, _WHITE), (layer, (0, 0, 0))):
        cv2.rectangle(target, (left - 1, bottom - 1), (left + length + 1, bottom + 2), colour, -1)
    cv2.rectangle(layer, (left, bottom), (left + length, bottom + 1), _WHITE, -1)
    _write(layer, cover, f"{millimetres} mm", (left + length + 4, bottom - _LINE // 2))
