"""Boxes: the forms that detectors give them in, and what of several boxes for one thing is left. Pure NumPy.

Boxes are float64 (n, 2 * axes): where each begins along the axes of the network's input, then where it ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Names of box formats. `x`, `y`, `z` run along the last, the middle and the first axis of the network's
#: input, `w`, `h`, `d` are sizes along them, `c` a centre. `axes` gives edges in the order of the input's own
#: axes, as MONAI's detectors do.
FORMATS = ("xyxy", "xywh", "cxcywh", "xyzxyz", "xyzwhd", "cxcyczwhd", "axes")


def to_edges(raw: NDArray[np.floating], form: str, axes: int) -> NDArray[np.float64]:
    """Boxes of any format as edges along the input's axes.

    Parameters
    ----------
    raw
        (n, 2 * axes).
    axes
        2 or 3.
    """
    boxes = np.asarray(raw, dtype=np.float64).reshape(-1, 2 * axes)
    first, second = boxes[:, :axes], boxes[:, axes:]
    if form == "axes":
        return boxes.copy()
    # x, y, z run from the last axis to the first.
    first, second = first[:, ::-1], second[:, ::-1]
    if form.startswith("c"):
        return np.concatenate([first - second / 2, first + second / 2], axis=1)
    if form.endswith(("wh", "whd")):
        return np.concatenate([first, first + second], axis=1)
    return np.concatenate([first, second], axis=1)


def axes_of(form: str, otherwise: int) -> int:
    """How many axes boxes of a format have."""
    if form == "axes":
        return otherwise
    return 3 if "z" in form else 2


def suppress(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], kinds: NDArray[np.integer], most: float
) -> NDArray[np.intp]:
    """Indices of the boxes that are left, the surest first: of those of one kind that overlap, the surest.

    Parameters
    ----------
    most
        Largest intersection over union of two boxes that both stay.
    """
    order = np.argsort(-scores, kind="stable")
    left = []
    while order.size:
        best, order = order[0], order[1:]
        left.append(best)
        same = kinds[order] == kinds[best]
        order = order[~(same & (overlap(boxes[best], boxes[order]) > most))]
    return np.array(left, dtype=np.intp)


def overlap(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box with others."""
    axes = len(box) // 2
    begin = np.maximum(box[:axes], others[:, :axes])
    end = np.minimum(box[axes:], others[:, axes:])
    common = np.clip(end - begin, 0, None).prod(axis=1)
    own = np.clip(box[axes:] - box[:axes], 0, None).prod()
    theirs = np.clip(others[:, axes:] - others[:, :axes], 0, None).prod(axis=1)
    union = own + theirs - common
    return np.where(union > 0, common / np.where(union > 0, union, 1), 0.0)
