"""Decides which lines in a picture are text that has to go.

The detector alone takes anatomy for text; a line counts where the recogniser can read it, or where its shape
is that of a line of writing in letters that the recogniser does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from anonymizer.pixels.boxes import Box
from anonymizer.pixels.lines import Line, Reading, find_lines, read_lines
from anonymizer.pixels.tokens import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from anonymizer.pixels.networks import Networks

#: Pictures are enlarged until their longer side has this many pixels, but at most `MOST` times.
SMALL: Final = 448
MOST: Final = 4.0
#: Longer side of what goes through the detector at once; larger pictures go in tiles that overlap.
TILE: Final = 1088
OVERLAP: Final = 160
#: Least difference of grey within a tile, of 255: less is no text that a person could see.
FAINTEST: Final = 6
#: A box whose sides are both more than this share of the picture is anatomy; what is drawn on it is
#: searched again.
GIANT: Final = 0.22
#: Confidence for readings of 2, 3, and 4 or more letters.
CONFIDENCE: Final = {2: 0.75, 3: 0.72, 4: 0.68}
#: The same for high boxes, of more than this share of the picture.
HIGH: Final = 0.08
CONFIDENCE_HIGH: Final = 0.86
#: Share of the picture that something may have to be taken for a part of the text beside it.
BESIDE: Final = 0.045
#: Pixels around what was found that are looked at again, and by how much they are enlarged.
MARGIN: Final = 96
CLOSER: Final = 1.5
#: Width to height, score and share of the picture of writing that needs no reading.
WRITING: Final = (3.2, 0.6, 0.08)


def find_text(networks: Networks, picture: NDArray[np.uint8], near: list[Box] | None = None) -> list[Box]:
    """Find what has to be blacked out in a picture.

    Parameters
    ----------
    picture
        (rows, columns, 3).
    near
        Boxes that were blacked out already: what may be text right beside them needs no reading.
    """
    size = _size(picture)
    if near:
        # A second look sees the place otherwise: faint and small letters beside what was found stand out.
        area = _around(near, picture)
        part = np.ascontiguousarray(_flattened(picture[area.y0 : area.y1, area.x0 : area.x1]))
        inside = [box.moved(-area.x0, -area.y0) for box in near]
        closer = CLOSER if max(part.shape[:2]) <= TILE / CLOSER else 1.0
        found = _decided(networks, part, _candidates(networks, part, size, closer), size, inside)
        return [box.moved(area.x0, area.y0) for box in found]
    return _decided(networks, picture, _candidates(networks, picture, size), size, [])


def _decided(
    networks: Networks, picture: NDArray[np.uint8], lines: list[Line], size: int, near: list[Box]
) -> list[Box]:
    """Boxes of the lines that have to go."""
    readings = read_lines(networks, picture, lines)
    taken, open_lines = [], []
    for line, reading in zip(lines, readings, strict=True):
        if not _is_text(line, reading, size):
            open_lines.append((line, reading))
        elif not is_harmless(reading.text):
            taken.append(_padded(line, picture))
    known = [*taken, *near]
    for line, reading in open_lines:
        if min(line.turned[1]) > BESIDE * size:
            continue
        harmless = reading.letters > 0 and reading.confidence > CONFIDENCE_HIGH and is_harmless(reading.text)
        if not harmless and any(_continues(line, box) for box in known):
            taken.append(_padded(line, picture))
    return taken


def _around(boxes: list[Box], picture: NDArray[np.uint8]) -> Box:
    rows, columns = picture.shape[:2]
    return Box(
        max(0, min(box.x0 for box in boxes) - MARGIN),
        max(0, min(box.y0 for box in boxes) - MARGIN),
        min(columns, max(box.x1 for box in boxes) + MARGIN),
        min(rows, max(box.y1 for box in boxes) + MARGIN),
    )


def _candidates(networks: Networks, picture: NDArray[np.uint8], size: int, closer: float = 1.0) -> list[Line]:
    longer = max(picture.shape[:2])
    giant = GIANT * max(SMALL, size)
    scale = min(MOST, max(closer, SMALL / longer))
    lines: list[Line] = []
    for x, y, tile in _tiles(picture):
        lines += [_moved(line, x, y) for line in find_lines(networks, tile, scale)]
    if longer > TILE:
        lines += find_lines(networks, picture, TILE / longer)
    small: list[Line] = []
    giants: list[Line] = []
    for line in lines:
        (giants if min(line.y1 - line.y0, line.x1 - line.x0) > giant else small).append(line)
    if giants:
        # Text that is drawn on anatomy hangs together with it: without the broad shades it stands alone.
        x0, y0 = min(line.x0 for line in giants), min(line.y0 for line in giants)
        x1, y1 = max(line.x1 for line in giants), max(line.y1 for line in giants)
        for x, y, tile in _tiles(_flattened(picture[y0:y1, x0:x1])):
            again = (_moved(line, x0 + x, y0 + y) for line in find_lines(networks, tile, scale))
            small += [line for line in again if min(line.turned[1]) <= giant]
    return _distinct(small)


def _tiles(picture: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    rows, columns = picture.shape[:2]
    for y in _starts(rows):
        for x in _starts(columns):
            tile = picture[y : y + TILE, x : x + TILE]
            if int(tile.max()) - int(tile.min()) >= FAINTEST:
                yield x, y, np.ascontiguousarray(tile)


def _starts(length: int) -> list[int]:
    if length <= TILE:
        return [0]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    return [round(i * (length - TILE) / (count - 1)) for i in range(count)]


def _moved(line: Line, x: int, y: int) -> Line:
    (cx, cy), size, angle = line.turned
    return Line(
        line.x0 + x, line.y0 + y, line.x1 + x, line.y1 + y, ((cx + x, cy + y), size, angle), line.score
    )


def _flattened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    values = picture.astype(np.float32)
    values -= cv2.GaussianBlur(values, (0, 0), 12)
    spread = max(1.0, float(np.percentile(np.abs(values), 99.5)))
    return np.asarray(np.clip(values * (120 / spread) + 127, 0, 255), np.uint8)


def _distinct(lines: list[Line]) -> list[Line]:
    kept: list[Line] = []
    for line in sorted(lines, key=lambda one: -(one.x1 - one.x0) * (one.y1 - one.y0)):
        area = (line.x1 - line.x0) * (line.y1 - line.y0)
        if not any(_shared(line, other) > 0.85 * area and _alike(line, other) for other in kept):
            kept.append(line)
    return kept


def _shared(a: Line | Box, b: Line | Box) -> int:
    return max(0, min(a.x1, b.x1) - max(a.x0, b.x0)) * max(0, min(a.y1, b.y1) - max(a.y0, b.y0))


def _alike(a: Line, b: Line) -> bool:
    return (b.y1 - b.y0) < 2 * (a.y1 - a.y0) and (b.x1 - b.x0) < 3 * (a.x1 - a.x0)


def _size(picture: NDArray[np.uint8]) -> int:
    """The longer side, by which heights of text are judged."""
    rows, columns = map(int, picture.shape[:2])
    return max(rows, columns)


def _is_text(line: Line, reading: Reading, size: int) -> bool:
    wide, high = max(line.turned[1]), min(line.turned[1])
    if wide > WRITING[0] * high and line.score > WRITING[1] and high < WRITING[2] * size:
        return True
    if reading.letters < 2:
        return False
    if high > HIGH * size:
        return reading.confidence >= CONFIDENCE_HIGH and reading.letters > 2
    return reading.confidence >= CONFIDENCE[min(4, reading.letters)]


def _continues(line: Line, box: Box) -> bool:
    """Whether a line goes on where a box ends, in the direction of its text, and is no higher than it."""
    one = line[:4]
    lies = box.x1 - box.x0 >= box.y1 - box.y0
    low, high, start, end = (1, 3, 0, 2) if lies else (0, 2, 1, 3)
    size = one[high] - one[low]
    shared = min(one[high], box[high]) - max(one[low], box[low])
    gap = max(one[start], box[start]) - min(one[end], box[end])
    return shared > 0.5 * size and size < 1.3 * (box[high] - box[low]) and gap < 1.5 * size


def _padded(line: Line, picture: NDArray[np.uint8]) -> Box:
    high = min(line.x1 - line.x0, line.y1 - line.y0)
    across, along = max(2, round(0.15 * high)), max(3, round(0.35 * high))
    dx, dy = (along, across) if line.x1 - line.x0 >= line.y1 - line.y0 else (across, along)
    rows, columns = picture.shape[:2]
    return Box(
        max(0, line.x0 - dx), max(0, line.y0 - dy), min(columns, line.x1 + dx), min(rows, line.y1 + dy)
    )
