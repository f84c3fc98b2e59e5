"""Closed contours of a mask, from which the mask comes back exactly."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import contourpy
import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray


def closed_contours(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Contours around the connected parts of a mask; a channel joins a hole to its outer contour.

    They run halfway between the centres of pixels inside and outside (marching squares), so that a pixel
    belongs to the mask exactly where its centre lies inside. Parts that touch at a corner only are apart.

    Parameters
    ----------
    mask
        (rows, columns).

    Returns
    -------
    list
        (points, 2) each: row and column, the first pixel's centre is (0, 0). The last point is not the first.

    References
    ----------
    PS3.3 §C.8.8.6.3 (inner and outer contours: the keyhole technique)
    """
    framed = np.pad(mask.astype(np.float64), 1)
    generator = contourpy.contour_generator(
        z=framed, fill_type=contourpy.FillType.OuterOffset, corner_mask=False
    )
    # Typed loosely there: what comes depends on the fill type.
    parts, offsets = cast(
        "tuple[list[NDArray[np.float64]], list[NDArray[np.uint32]]]", generator.filled(0.5, np.inf)
    )
    contours = []
    for points, ends in zip(parts, offsets, strict=True):
        # contourpy gives x (column) and y (row), and repeats the first point of each ring.
        rings = [points[start : end - 1, ::-1] - 1.0 for start, end in pairwise(ends)]
        contours.append(_with_channels(rings[0], rings[1:]))
    return contours


def _with_channels(outer: NDArray[np.float64], holes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Join holes to the outer ring, each at the nearest points; the way there and back is the same line."""
    ring = outer
    # The nearest hole first: a channel then never crosses a hole that is not joined yet.
    for hole in sorted(holes, key=lambda one: _nearest(outer, one)[2]):
        at, entry, _ = _nearest(ring, hole)
        around = np.concatenate([hole[entry:], hole[: entry + 1]])
        ring = np.concatenate([ring[: at + 1], around, ring[at:]])
    return ring


def _nearest(ring: NDArray[np.float64], hole: NDArray[np.float64]) -> tuple[int, int, float]:
    """Index of a point of the ring, of one of the hole, and their distance, for the pair that is nearest."""
    distances, nearest = KDTree(ring).query(hole)
    entry = int(distances.argmin())
    return int(nearest[entry]), entry, float(distances[entry])
