"""Looks at every frame: what is the same as in a frame before is not read twice.

References
----------
PS3.15 §E.3.1 (Clean Pixel Data).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np

from anonymizer.errors import CannotVouch
from anonymizer.pixels.boxes import Box
from anonymizer.pixels.text import find_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from anonymizer.pixels.networks import Networks

    #: Boxes to black out in a picture (rows, columns, 3), given those that are already.
    Finder = Callable[[NDArray[np.uint8], list[Box]], list[Box]]

#: Rounds of finding and blacking out; what is still found then is not let pass.
ROUNDS: Final = 4
#: Share of a box from which on nothing is left in it that could be text.
GONE: Final = 0.9
#: Side of the tiles in which frames are compared, and the difference that makes a tile another one.
CELL: Final = 32
DIFFERENT: Final = 10
#: A box is blacked out in as many frames before and after, too: text does not flicker.
LINGERING: Final = 2
#: Pixels around a box that give it its shade once its text was found.
RING: Final = 4


def look_at_picture(find: Finder, picture: NDArray[np.uint8]) -> list[Box]:
    """Find text in a picture, look again without it, until nothing is found.

    Raises
    ------
    CannotVouch
        `pixels-hold-text` if something is found in each round.
    """
    work = picture.copy()
    gone = np.zeros(picture.shape[:2], np.bool_)
    boxes: list[Box] = []
    first: list[Box] = []
    for _ in range(ROUNDS):
        # What was taken for a part of the text beside it says nothing about what stands beside that.
        found = [box for box in find(work, first) if gone[box.y0 : box.y1, box.x0 : box.x1].mean() < GONE]
        if not found:
            return boxes
        first = first or found
        boxes += found
        for box in found:
            _take_out(work, box)
            gone[box.y0 : box.y1, box.x0 : box.x1] = True
    raise CannotVouch(
        "pixels-hold-text", "text was found again after it was blacked out; look at the image", "PixelData"
    )


def look_at_frames(
    find: Finder,
    picture: Callable[[int], NDArray[np.uint8]],
    count: int,
    steady: Callable[[int], NDArray[np.uint8]] | None = None,
) -> dict[Box, list[int]]:
    """Find text in every frame; returns boxes and the frames (from 0) in which they are to be blacked out.

    Parameters
    ----------
    picture
        Gives a frame as (rows, columns, 3).
    steady
        The same, on one scale of grey for all frames; `picture` where that does so.

    Raises
    ------
    CannotVouch
        `pixels-hold-text`, as for a single picture.
    """
    found: dict[Box, set[int]] = {}
    seen = picture(0)
    steady = steady or picture
    darkest = steady(0).copy()
    lightest = darkest.copy()
    current = look_at_picture(find, seen)
    _note(found, current, [0], count)
    for index in range(1, count):
        frame = picture(index)
        even = steady(index)
        np.minimum(darkest, even, out=darkest)
        np.maximum(lightest, even, out=lightest)
        cells = _changed_cells(seen, frame)
        if cells.any():
            area, mask = _area(cells, frame.shape[:2])
            seen = np.where(mask[..., None], frame, seen)
            stays = [box for box in current if not mask[box.y0 : box.y1, box.x0 : box.x1].any()]
            part = np.ascontiguousarray(frame[area.y0 : area.y1, area.x0 : area.x1])
            for box in stays:
                _blacken(part, box, area)
            moved = [box.moved(area.x0, area.y0) for box in look_at_picture(find, part)]
            current = [*stays, *moved]
        _note(found, current, [index], count)
    if count > 1:
        # What stands still over moving tissue is seen best where only what stands still is left.
        bright = look_at_picture(find, darkest)
        dark = [box for box in look_at_picture(find, lightest) if _is_dark_text(lightest, box)]
        _note(found, [*bright, *dark], range(count), count)
    return {box: sorted(frames) for box, frames in found.items()}


def text_finder(networks: Networks) -> Finder:
    """The finder that reads with the networks."""
    return lambda picture, boxes: find_text(networks, picture, boxes)


def frame_numbers(frames: list[int], count: int) -> str:
    """Frames, counted from 1, as the report names them: `all`, or numbers and ranges with commas."""
    if len(frames) == count:
        return "all"
    parts = []
    for _, run in groupby(enumerate(frames), lambda pair: pair[1] - pair[0]):
        numbers = [number + 1 for _, number in run]
        parts.append(f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0]))
    return ",".join(parts)


def _note(found: dict[Box, set[int]], boxes: Iterable[Box], frames: Iterable[int], count: int) -> None:
    reach = {
        near
        for index in frames
        for near in range(max(0, index - LINGERING), min(count, index + LINGERING + 1))
    }
    for box in boxes:
        found.setdefault(box, set()).update(reach)


def _changed_cells(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rows, columns = before.shape[:2]
    other = (np.maximum(before, after) - np.minimum(before, after)).max(2) > DIFFERENT
    padded = np.pad(other, ((0, -rows % CELL), (0, -columns % CELL)))
    cells = padded.reshape(padded.shape[0] // CELL, CELL, -1, CELL).any((1, 3))
    return np.asarray(cells, np.bool_)


def _area(cells: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[Box, NDArray[np.bool_]]:
    """The rectangle around the changed cells, one cell wider, and what lies in it."""
    ys, xs = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
    y0, y1 = max(0, int(ys[0]) - 1) * CELL, min(shape[0], (int(ys[-1]) + 2) * CELL)
    x0, x1 = max(0, int(xs[0]) - 1) * CELL, min(shape[1], (int(xs[-1]) + 2) * CELL)
    mask = np.zeros(shape[:2], np.bool_)
    mask[y0:y1, x0:x1] = True
    return Box(x0, y0, x1, y1), mask


def _is_dark_text(picture: NDArray[np.uint8], box: Box) -> bool:
    """Whether what stands out in a box is dark."""
    inside = picture[box.y0 : box.y1, box.x0 : box.x1]
    low, usual, high = np.percentile(inside, (1, 50, 99))
    return bool(usual - low > high - usual)


def _blacken(part: NDArray[np.uint8], box: Box, area: Box) -> None:
    x0, y0, x1, y1 = (max(0, side) for side in box.moved(-area.x0, -area.y0))
    if y0 < min(y1, part.shape[0]) and x0 < min(x1, part.shape[1]):
        _take_out(part, Box(x0, y0, min(x1, part.shape[1]), min(y1, part.shape[0])))


def _take_out(picture: NDArray[np.uint8], box: Box) -> None:
    """Give a box the shade around it: edges of a black one would look like writing."""
    x0, y0 = max(0, box.x0 - RING), max(0, box.y0 - RING)
    part = picture[y0 : box.y1 + RING, x0 : box.x1 + RING]
    ring = np.ones(part.shape[:2], np.bool_)
    ring[box.y0 - y0 : box.y1 - y0, box.x0 - x0 : box.x1 - x0] = False
    shade = np.median(part[ring], axis=0) if ring.any() else 0
    picture[box.y0 : box.y1, box.x0 : box.x1] = shade
