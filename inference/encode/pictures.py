"""Which pictures a prediction gives, and how they look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.encode.annotation import Caption
from inference.encode.heatmap import Painter, PictureBox
from inference.encode.key_slices import key_slices
from inference.encode.window import GreyWindow, window_of
from inference.preprocess.spacing import SpacingMeaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction
    from inference.encode.arrays import PredictionArrays
    from inference.encode.layout import Layout
    from inference.encode.source import SourceSeries


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn over one slice.

    Attributes
    ----------
    index
        Of the source slice, from 0.
    level
        (rows, columns), 0 to 1; `None` where only boxes are drawn.
    """

    index: int
    level: NDArray[np.floating] | None
    boxes: tuple[PictureBox, ...] = ()


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of a prediction: made one by one, when they are asked for.

    Attributes
    ----------
    drawings
        In the order of the source's slices; empty where the model drew nothing.
    """

    source: SourceSeries
    drawings: tuple[Drawing, ...]
    painter: Painter
    window: GreyWindow | None

    @property
    def layout(self) -> Layout:
        """How the slices lie in the pictures."""
        return self.painter.layout

    def paint(self) -> Iterator[tuple[Drawing, NDArray[np.uint8]]]:
        """Each drawing with its picture, RGB (rows, columns, 3)."""
        for drawing in self.drawings:
            yield drawing, self.painter.paint(self.slice_of(drawing.index), drawing.level, drawing.boxes)

    def slice_of(self, index: int) -> NDArray[np.uint8]:
        """A source slice as the pictures show it, without anything over it."""
        plane = self.source.pixels[index]
        if self.window is None:
            return np.asarray(plane, np.uint8)
        return self.window.grey(plane, index)

    def drawing_of(self, index: int) -> Drawing:
        """What is drawn over a slice; nothing where the model drew nothing there."""
        return next((one for one in self.drawings if one.index == index), Drawing(index, None))


def draw_over(prediction: Prediction, arrays: PredictionArrays, slices: int) -> Iterator[Drawing]:
    """Yield what is drawn over a source of so many slices, in their order.

    The probability of a segmenter over every slice, so that viewers can reconstruct the series; the heat of
    a classifier over those that have one; the boxes of a detector over those that they reach through.
    """
    levels: dict[int, NDArray[np.floating]] = {}
    if arrays.probability is not None:
        levels = dict(enumerate(arrays.probability))
    elif arrays.heat is not None and arrays.heat_index is not None:
        levels = dict(zip(map(int, arrays.heat_index), arrays.heat, strict=True))
    boxes = _boxes(prediction, slices)
    for index in sorted(levels.keys() | boxes.keys()):
        yield Drawing(index, levels.get(index), tuple(boxes.get(index, ())))


def plan_pictures(prediction: Prediction, source: SourceSeries, arrays: PredictionArrays) -> Pictures:
    """Choose what is drawn over which slices, and with which window, legend and text."""
    drawings = tuple(draw_over(prediction, arrays, source.shape[0]))
    painter = Painter(source.shape[1:], caption_of(prediction, source, legend=_has_colours(drawings)))
    return Pictures(source, drawings, painter, None if source.colour else window_of(source))


def paint_key_slices(
    prediction: Prediction, source: SourceSeries, arrays: PredictionArrays, count: int = 1
) -> list[tuple[int, NDArray[np.uint8]]]:
    """The slices that show the finding best, the best first: index from 0, and picture (rows, columns, 3).

    For reports; a slice over which nothing is drawn is shown as it is.
    """
    pictures = plan_pictures(prediction, source, arrays)
    return [
        (index, pictures.painter.paint(pictures.slice_of(index), one.level, one.boxes))
        for index in key_slices(prediction, arrays, source.shape[0], count)
        for one in [pictures.drawing_of(index)]
    ]


def caption_of(prediction: Prediction, source: SourceSeries, *, legend: bool) -> Caption:
    """Model, version, what the colours mean, and the length of a pixel."""
    model = prediction.model
    known = source.spacing_meaning is not SpacingMeaning.UNKNOWN
    return Caption(
        lines=(f"{model.name} {model.version}", *meaning_of(prediction)),
        column_spacing=source.spacing[1] if known else None,
        unit="mm at detector" if source.spacing_meaning is SpacingMeaning.DETECTOR else "mm",
        legend=legend,
    )


def meaning_of(prediction: Prediction) -> tuple[str, ...]:
    """What colours and boxes mean, in lines for people."""
    lines = []
    if prediction.explanation is not None:
        lines += [f"speaks for: {prediction.explanation.target}", f"0 to 1, {prediction.explanation.method}"]
    elif prediction.segments:
        segments = prediction.segments
        lines.append(f"{segments[0].label} probability" if len(segments) == 1 else "Probability")
    if prediction.detections:
        lines.append("boxes: number, finding, score")
    return tuple(lines)


def _boxes(prediction: Prediction, slices: int) -> dict[int, list[PictureBox]]:
    found: dict[int, list[PictureBox]] = {}
    for one in prediction.detections:
        first, top, left, last, bottom, right = one.box
        text = f"{one.number} {one.label} {one.score:.2f}"
        for index in range(max(0, int(np.floor(first))), min(slices, int(np.ceil(last)))):
            found.setdefault(index, []).append(PictureBox(top, left, bottom, right, text))
    return found


def _has_colours(drawings: tuple[Drawing, ...]) -> bool:
    return any(drawing.level is not None for drawing in drawings)
