"""Splits examples so that near-doubles and images of one patient never lie on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from inference.training.examples import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inference.training.examples import Examples

#: Images whose thumbnails correlate more than this count as doubles.
DOUBLE_CORRELATION = 0.97
THUMBNAIL_SIDE = 16
SHARES = (0.7, 0.15, 0.15)
_BLOCK = 512


def thumbnails(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Small copies with mean 0 and length 1, `(images, 256)`."""
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    flat = np.stack([cv2.resize(i, side, interpolation=cv2.INTER_AREA).ravel() for i in images])
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # Blank images get no direction: they are doubles of nothing.
    normal: NDArray[np.float32] = np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-6)
    return normal


def group_examples(examples: Examples, small: NDArray[np.float32]) -> NDArray[np.int64]:
    """Number of the group of each example: one patient, near-doubles, and what these link."""
    parent = list(range(len(examples.items)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for start in range(0, len(small), _BLOCK):
        close = small[start : start + _BLOCK] @ small.T > DOUBLE_CORRELATION
        for first, second in np.argwhere(close):
            parent[root(int(first) + start)] = root(int(second))
    first_of: dict[str, int] = {}
    for n, item in enumerate(examples.items):
        if item.patient is not None:
            parent[root(n)] = root(first_of.setdefault(item.patient, n))
    roots = [root(n) for n in range(len(parent))]
    _, groups = np.unique(roots, return_inverse=True)
    return np.asarray(groups, dtype=np.int64)


def split_examples(
    examples: Examples, groups: NDArray[np.int64], seed: int, shares: Sequence[float] = SHARES
) -> NDArray[np.int64]:
    """Index into `SPLITS` of each example: stratified by class, whole groups only.

    What the table puts into a split lies there; the rest of its group follows it (into the first of `SPLITS`
    that is named, where several are).
    """
    labels = np.array([item.label for item in examples.items])
    count = len(examples.classes)
    out = np.full(len(labels), -1, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups)
    # Large groups first, so that the small ones even out the shares.
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = np.zeros((len(SPLITS), count))
    members = _members(groups)
    free = []
    for group in order:
        named = [examples.items[n].split for n in members[group] if examples.items[n].split]
        if named:
            first = min(SPLITS.index(name) for name in named if name)
            for n in members[group]:
                name = examples.items[n].split
                out[n] = SPLITS.index(name) if name else first
        else:
            free.append(group)
    total = np.bincount(labels[out < 0], minlength=count).astype(float)
    for group in free:
        inside = np.bincount(labels[members[group]], minlength=count)
        # The split that lacks most of what this group holds.
        lack = [
            float(((total * share - filled[n]) / np.maximum(total * share, 1) * inside).sum())
            for n, share in enumerate(shares)
        ]
        best = int(np.argmax(lack))
        filled[best] += inside
        out[members[group]] = best
    return out


def _members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    return [np.asarray(part) for part in np.split(order, ends[:-1])]
