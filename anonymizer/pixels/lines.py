"""Finds lines of text in a picture and reads them, upright, turned and mirrored.

References
----------
Liao et al., AAAI 2020 (from a probability map to boxes); Graves et al., ICML 2006 (CTC, best path).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from anonymizer.pixels.networks import LINE_HEIGHT, MULTIPLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anonymizer.pixels.networks import Networks

#: Pixels around the picture: text at the very edge is not found otherwise.
BORDER: Final = 32
#: Probability above which a pixel belongs to text, and the least mean of a line.
PIXEL_THRESHOLD: Final = 0.3
LINE_THRESHOLD: Final = 0.4
#: The network marks the core of a line; its box is larger by area / perimeter times this.
GROWTH: Final = 1.6
#: Least rows of a core, in pixels of the network's input.
SMALLEST: Final = 3
#: Columns of a line for the recogniser, at most; a longer one is read in pieces.
LONGEST: Final = 640
BATCH: Final = 8


class Line(NamedTuple):
    """Where a line of text may be: an upright rectangle [x0, x1) x [y0, y1), and the turned one in it.

    Attributes
    ----------
    turned
        Centre, (width, height) and angle in degrees, as OpenCV's minAreaRect gives it.
    score
        Mean probability that it is text.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    turned: tuple[tuple[float, float], tuple[float, float], float]
    score: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says, in the direction in which it could be read best."""

    text: str
    confidence: float

    @property
    def letters(self) -> int:
        """How many letters and digits it has."""
        return sum(character.isalnum() for character in self.text)


def find_lines(networks: Networks, picture: NDArray[np.uint8], scale: float) -> list[Line]:
    """Find lines of text.

    Parameters
    ----------
    picture
        (rows, columns, 3).
    scale
        By how much the picture is enlarged for the network.
    """
    rows, columns = picture.shape[:2]
    if scale != 1:
        shape = max(1, round(columns * scale)), max(1, round(rows * scale))
        how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        picture = np.asarray(cv2.resize(picture, shape, interpolation=how), np.uint8)
    height, width = picture.shape[:2]
    below = BORDER + -(height + 2 * BORDER) % MULTIPLE
    right = BORDER + -(width + 2 * BORDER) % MULTIPLE
    framed = cv2.copyMakeBorder(picture, BORDER, below, BORDER, right, cv2.BORDER_REPLICATE)
    likely = networks.text_map(np.asarray(framed, np.uint8))
    core = cv2.dilate((likely > PIXEL_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    lines = []
    for label in range(1, count):
        x, y, wide, high, _ = (int(value) for value in stats[label])
        if min(wide, high) < SMALLEST:
            continue
        spot = slice(y, y + high), slice(x, x + wide)
        member = labels[spot] == label
        score = float(likely[spot][member].mean())
        if score < LINE_THRESHOLD:
            continue
        points = np.argwhere(member)[:, ::-1].astype(np.float32)
        (cx, cy), (w, h), angle = cv2.minAreaRect(points)
        grow = (w + 1) * (h + 1) * GROWTH / (2 * (w + h + 2))
        centre = (cx + x - BORDER + 0.5) / scale, (cy + y - BORDER + 0.5) / scale
        turned = centre, ((w + 1 + 2 * grow) / scale, (h + 1 + 2 * grow) / scale), float(angle)
        corners = cv2.boxPoints(turned)
        x0, y0 = np.floor(corners.min(0)).astype(int)
        x1, y1 = np.ceil(corners.max(0)).astype(int)
        clipped = max(0, int(x0)), max(0, int(y0)), min(columns, int(x1)), min(rows, int(y1))
        if clipped[0] < clipped[2] and clipped[1] < clipped[3]:
            lines.append(Line(*clipped, turned, score))
    return lines


def read_lines(networks: Networks, picture: NDArray[np.uint8], lines: list[Line]) -> list[Reading]:
    """Read each line in the directions in which it may be written, and keep the best reading."""
    crops: list[tuple[int, NDArray[np.uint8]]] = []
    for index, line in enumerate(lines):
        crop = _straightened(picture, line)
        high, wide = crop.shape[:2]
        upright = [np.rot90(crop), np.rot90(crop, 3)] if high > 1.5 * wide else [crop, np.rot90(crop, 2)]
        upright.append(upright[0][:, ::-1])
        crops += [(index, _fitted(np.ascontiguousarray(view))) for view in upright]
    best = [Reading("", 0.0)] * len(lines)
    # The first direction is nearly always the right one: the others are tried only where it fails.
    for step in range(3):
        wanted = [crop for index, crop in crops[step::3] if step == 0 or best[index].confidence < SURE]
        indices = [index for index, _ in crops[step::3] if step == 0 or best[index].confidence < SURE]
        for index, reading in zip(indices, _read(networks, wanted), strict=True):
            if _weight(reading) > _weight(best[index]):
                best[index] = reading
    return best


#: Confidence from which on no other direction is tried.
SURE: Final = 0.9


def _weight(reading: Reading) -> float:
    return reading.confidence * min(reading.letters, 4)


def _read(networks: Networks, crops: list[NDArray[np.uint8]]) -> list[Reading]:
    readings = [Reading("", 0.0)] * len(crops)
    order = sorted(range(len(crops)), key=lambda i: crops[i].shape[1])
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        width = max(crops[i].shape[1] for i in chosen)
        padded = [
            np.asarray(
                cv2.copyMakeBorder(
                    crops[i], 0, 0, 0, width - crops[i].shape[1], cv2.BORDER_CONSTANT, value=(127,) * 3
                ),
                np.uint8,
            )
            for i in chosen
        ]
        for i, symbols in zip(chosen, networks.symbols(padded), strict=True):
            readings[i] = _decoded(symbols, networks.characters)
    return readings


def _decoded(symbols: NDArray[np.float32], characters: tuple[str, ...]) -> Reading:
    path = symbols.argmax(1)
    fresh = (path != 0) & np.concatenate(([True], path[1:] != path[:-1]))
    if not fresh.any():
        return Reading("", 0.0)
    text = "".join(characters[i] for i in path[fresh])
    return Reading(text, float(symbols.max(1)[fresh].mean()))


def _straightened(picture: NDArray[np.uint8], line: Line) -> NDArray[np.uint8]:
    (cx, cy), (w, h), angle = line.turned
    if abs(angle - 90 * round(angle / 90)) < 2:
        return np.ascontiguousarray(picture[line.y0 : line.y1, line.x0 : line.x1])
    if angle > 45:
        w, h, angle = h, w, angle - 90
    matrix = cv2.getRotationMatrix2D((cx, cy), angle, 1)
    size = max(4, round(w)), max(4, round(h))
    matrix[:, 2] += size[0] / 2 - cx, size[1] / 2 - cy
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _fitted(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    high, wide = crop.shape[:2]
    width = min(LONGEST, max(LINE_HEIGHT // 2, round(wide * LINE_HEIGHT / high)))
    how = cv2.INTER_CUBIC if high < LINE_HEIGHT else cv2.INTER_AREA
    return np.asarray(cv2.resize(crop, (width, LINE_HEIGHT), interpolation=how), np.uint8)
