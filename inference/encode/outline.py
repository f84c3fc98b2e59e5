"""The outline of a segment on the slice where it is largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dicom_node.domain.errors import EncodingFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The mask is drawn this many times larger, so that the outline runs near the pixels' edges, not
# through the centres of the outermost pixels.
_OVERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed polyline on one slice.

    Attributes
    ----------
    slice_index
        Index of the slice, from 0.
    points
        (points, 2), column and row in SCOORD coordinates: (0, 0) is the outer corner of the first
        pixel, its centre is (0.5, 0.5) (PS3.3 §C.18.6.1.2). The last point is the first.
    pixels
        How many pixels of that slice belong to the segment, in all its parts.
    """

    slice_index: int
    points: NDArray[np.float32]
    pixels: int


def largest_outline(mask: NDArray[np.bool_]) -> Outline:
    """Outline the largest part of a mask on the slice with the most pixels; holes are not drawn.

    Parameters
    ----------
    mask
        (slices, rows, columns).

    Raises
    ------
    EncodingFailed
        If the mask is empty.
    """
    areas = np.count_nonzero(mask, axis=(1, 2))
    index = int(areas.argmax())
    if not areas[index]:
        raise EncodingFailed("a segment's mask is empty: there is nothing to outline")
    fine = np.kron(mask[index].astype(np.uint8), np.ones((_OVERSAMPLING, _OVERSAMPLING), np.uint8))
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    # Steps of the pixel grid within half a pixel are smoothed away: fewer points, the same outline.
    simple = cv2.approxPolyDP(contour, _OVERSAMPLING / 2, closed=True)
    corners = (simple if len(simple) > 2 else contour).reshape(-1, 2)
    points = (corners.astype(np.float32) + 0.5) / _OVERSAMPLING
    return Outline(index, np.concatenate([points, points[:1]]), int(areas[index]))
