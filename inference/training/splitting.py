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
TRAIN, VALIDATION, TEST = range(len(SPLITS))
#: Of an example that no split holds yet, and of one that none shall hold.
FREE, LEFT_OUT = -1, -2
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


def group_alike(patients: Sequence[str | None], small: NDArray[np.float32] | None) -> NDArray[np.int64]:
    """Number of the group of each image: one patient, near-doubles, and what these link.

    Parameters
    ----------
    patients
        Of each image; `None` where the patient is not known.
    small
        Thumbnails; without them nothing counts as a double.
    """
    parent = list(range(len(patients)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    small = np.zeros((0, 1), np.float32) if small is None else small
    for start in range(0, len(small), _BLOCK):
        close = small[start : start + _BLOCK] @ small.T > DOUBLE_CORRELATION
        for first, second in np.argwhere(close):
            parent[root(int(first) + start)] = root(int(second))
    first_of: dict[str, int] = {}
    for n, patient in enumerate(patients):
        if patient is not None:
            parent[root(n)] = root(first_of.setdefault(patient, n))
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
    out = _named_splits(examples, groups)
    return _shared_out(examples, groups, out, seed, shares)


def fold_splits(
    examples: Examples, groups: NDArray[np.int64], seed: int, folds: int
) -> list[NDArray[np.int64]]:
    """Of each fold the index into `SPLITS` of each example: each is tested in one fold, whole groups only.

    What the table puts into training or validation lies there in every fold, what it puts into the test split
    in none: such an example has -1. The other folds' examples are shared out to training and validation.
    """
    named = _named_splits(examples, groups)
    tested = _shared_out(examples, groups, named, seed, [1 / folds] * folds)
    named[named == TEST] = LEFT_OUT
    splits = []
    for fold in range(folds):
        out = named.copy()
        out[(named == FREE) & (tested == fold)] = TEST
        held = SHARES[VALIDATION] / (SHARES[TRAIN] + SHARES[VALIDATION])
        out = _shared_out(examples, groups, out, seed + 1 + fold, [1 - held, held])
        splits.append(np.where(out == LEFT_OUT, FREE, out))
    return splits


def _named_splits(examples: Examples, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    out = np.full(len(groups), FREE, dtype=np.int64)
    for inside in _members(groups):
        named = [SPLITS.index(name) for n in inside if (name := examples.items[n].split)]
        for n in inside if named else ():
            name = examples.items[n].split
            out[n] = SPLITS.index(name) if name else min(named)
    return out


def _shared_out(
    examples: Examples, groups: NDArray[np.int64], out: NDArray[np.int64], seed: int, shares: Sequence[float]
) -> NDArray[np.int64]:
    """`out` with its free groups shared out, in the same shares for each class."""
    labels = np.array([item.label for item in examples.items])
    count = len(examples.classes)
    out = out.copy()
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    # Large groups first, so that the small ones even out the shares.
    order = order[np.argsort(-np.bincount(groups)[order], kind="stable")]
    members = _members(groups)
    filled = np.zeros((len(shares), count))
    total = np.bincount(labels[out == FREE], minlength=count).astype(float)
    for group in order:
        if out[members[group][0]] != FREE:
            continue
        inside = np.bincount(labels[members[group]], minlength=count)
        # The part that lacks most of what this group holds.
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
