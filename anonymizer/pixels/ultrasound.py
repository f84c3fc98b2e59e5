"""The ultrasound region rule: only what lies in a region is picture, the rest is the device's screen.

References
----------
PS3.3 §C.8.5.5 (US Region Calibration Module).
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from anonymizer.pixels.boxes import Box

if TYPE_CHECKING:
    from anonymizer.codec import Codec, Dataset

SEQUENCE_OF_ULTRASOUND_REGIONS: Final = 0x00186011
#: X0, Y0, X1, Y1; the last two are inclusive.
_CORNERS: Final = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
#: Regions with less than this share of the picture are a scale, not the picture.
LEAST_SHARE: Final = 0.1


def ultrasound_regions(dataset: Dataset, codec: Codec, rows: int, columns: int) -> list[Box]:
    """The regions that are described and lie in the picture; none where they are no plausible picture."""
    element = dataset.get(SEQUENCE_OF_ULTRASOUND_REGIONS)
    items = element.value if element is not None and isinstance(element.value, list) else []
    regions = []
    for item in items:
        x0, y0, x1, y1 = (_unsigned(item, tag, codec) for tag in _CORNERS)
        box = Box(max(0, x0), max(0, y0), min(columns, x1 + 1), min(rows, y1 + 1))
        if x0 >= 0 and box.x0 < box.x1 and box.y0 < box.y1:
            regions.append(box)
    outside = sum((b.x1 - b.x0) * (b.y1 - b.y0) for b in around(regions, rows, columns))
    return regions if rows * columns - outside >= LEAST_SHARE * rows * columns else []


def around(regions: list[Box], rows: int, columns: int) -> list[Box]:
    """Boxes that cover all that lies in no region, without overlap."""
    cuts = sorted({0, rows, *(b.y0 for b in regions), *(b.y1 for b in regions)})
    boxes: list[Box] = []
    for top, bottom in pairwise(cuts):
        x = 0
        band = sorted((b.x0, b.x1) for b in regions if b.y0 <= top and b.y1 >= bottom)
        for start, end in [*band, (columns, columns)]:
            if start > x:
                _add(boxes, Box(x, top, start, bottom))
            x = max(x, end)
    return boxes


def _add(boxes: list[Box], box: Box) -> None:
    """Append a box, or lengthen the one right above it."""
    for index, other in enumerate(boxes):
        if (other.x0, other.x1, other.y1) == (box.x0, box.x1, box.y0):
            boxes[index] = other._replace(y1=box.y1)
            return
    boxes.append(box)


def _unsigned(item: Dataset, tag: int, codec: Codec) -> int:
    element = item.get(tag)
    value = element.value if element is not None and isinstance(element.value, bytes) else b""
    if len(value) not in {2, 4}:
        return -1
    order = ">" if codec.big_endian else "<"
    return int(struct.unpack(order + ("L" if len(value) == 4 else "H"), value)[0])
