"""Cleans masks by their connected pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cc3d
import fill_voids
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Voxels that share a corner belong together.
_CORNERS = 26


def largest_share(mask: NDArray[np.bool_]) -> float:
    """Share of a mask in its largest piece; 0 where it is empty."""
    count = int(mask.sum())
    return int(keep_largest(mask).sum()) / count if count else 0.0


def keep_largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of a mask; empty where the mask is."""
    labels, count = cc3d.largest_k(np.ascontiguousarray(mask), k=1, connectivity=_CORNERS, return_N=True)
    return np.asarray(labels > 0) if count else np.zeros_like(mask)


def drop_small(mask: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """A mask without pieces of fewer voxels."""
    if voxels <= 1 or not mask.any():
        return mask
    kept = cc3d.dust(np.ascontiguousarray(mask), threshold=voxels, connectivity=_CORNERS)
    return np.asarray(kept, dtype=np.bool_)


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask with the holes filled that it encloses on all sides."""
    return np.asarray(fill_voids.fill(np.ascontiguousarray(mask)), dtype=np.bool_)
