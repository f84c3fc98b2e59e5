"""The layouts in which detectors give boxes, scores and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.tasks.activation import activate
from inference.tasks.boxes import FORMATS, axes_of, to_edges
from inference.tasks.rules import choice, known_keys, number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    #: Boxes, scores, labels.
    _Parts = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.number]]

LAYOUTS = ("separate", "rows", "dense", "queries")
_KEYS = (
    "layout",
    "box_format",
    "normalised",
    "activation",
    "first_label",
    "nms",
    "boxes",
    "scores",
    "labels",
    "output",
)


@dataclass(frozen=True, slots=True)
class DetectorRules:
    """How a detector's output is read; `adapter.postprocessing` of a manifest.

    Attributes
    ----------
    layout
        `separate`: outputs `boxes` (k, edges), `scores` (k,) and `labels` (k,), of one image (torchvision,
        MONAI). `rows`: one output (k, edges, score, label). `dense`: one output (edges and classes, k), a
        score for each class (YOLO). `queries`: outputs `boxes` (k, edges) and `scores` (k, classes and one
        for nothing), logits (DETR).
    box_format
        One of `inference.tasks.boxes.FORMATS`.
    normalised
        Whether edges are shares of the input's size.
    activation
        Of the scores: `none`, `sigmoid`, or `softmax` (queries).
    first_label
        Number of the manifest's first category.
    nms
        Largest intersection over union of two boxes of one category that both stay.
    names
        Names of the network's outputs for boxes, scores, labels, and the only one.
    """

    layout: str
    box_format: str
    normalised: bool
    activation: str
    first_label: int
    nms: float
    names: Mapping[str, str | None]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> DetectorRules:
        """Read `adapter.postprocessing`.

        Raises
        ------
        InvalidModelPackage
        """
        known_keys(raw, *_KEYS)
        layout = choice(raw, "layout", LAYOUTS, "separate")
        queries = layout == "queries"
        return cls(
            layout=layout,
            box_format=choice(raw, "box_format", FORMATS, "cxcywh" if queries else "xyxy"),
            normalised=bool(raw.get("normalised", queries)),
            activation=choice(
                raw, "activation", ("none", "sigmoid", "softmax"), "softmax" if queries else "none"
            ),
            first_label=int(number(raw, "first_label", 0, high=1000)),
            nms=number(raw, "nms", 0.5),
            names={key: raw.get(key) for key in ("boxes", "scores", "labels", "output")},
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of one image: edges along the input's axes, scores 0 to 1, and which category."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    kinds: NDArray[np.int64]


def read_found(
    outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules, shape: tuple[int, ...], categories: int
) -> Found:
    """Boxes that a network gave for one image.

    Parameters
    ----------
    outputs
        By name; a first axis of length 1 (the batch) may stand before those of the layout.
    shape
        Of the network's input, without channels.

    Raises
    ------
    InferenceFailed
        If an output is missing, has another layout, or names a category that the manifest does not have.
    """
    axes = len(shape)
    edges = 2 * axes_of(rules.box_format, axes)
    try:
        boxes, scores, kinds = _READERS[rules.layout](outputs, rules, edges, categories)
        boxes = to_edges(boxes, rules.box_format, axes)
    except (IndexError, ValueError) as exc:
        raise InferenceFailed(f"the network's output has not the layout {rules.layout!r} of boxes") from exc
    if not len(boxes) == len(scores) == len(kinds) or edges != 2 * axes:
        raise InferenceFailed(
            "the network gives other numbers of boxes, scores and labels, or of their edges"
        )
    if rules.normalised:
        boxes = boxes * np.array([*shape, *shape])
    real = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    kinds = kinds.astype(np.int64) - rules.first_label
    if ((kinds[real] < 0) | (kinds[real] >= categories)).any():
        raise InferenceFailed("the network gives a label that is none of the manifest's categories")
    return Found(boxes[real], np.clip(scores[real], 0, 1).astype(np.float64), kinds[real])


def _separate(
    outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules, edges: int, categories: int
) -> _Parts:
    boxes = _named(outputs, rules.names["boxes"] or "boxes").reshape(-1, edges)
    scores = _named(outputs, rules.names["scores"] or "scores").reshape(-1)
    if categories == 1 and (rules.names["labels"] or "labels") not in outputs:
        labels = np.full(len(scores), rules.first_label)
    else:
        labels = np.rint(_named(outputs, rules.names["labels"] or "labels").reshape(-1))
    return boxes, activate(scores, rules.activation, axis=0), labels


def _rows(
    outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules, edges: int, categories: int
) -> _Parts:
    rows = _only(outputs, rules)
    rows = rows.reshape(-1, rows.shape[-1])
    if rows.shape[1] < edges + (1 if categories == 1 else 2):
        raise ValueError("too few columns")
    labels = rows[:, edges + 1] if rows.shape[1] > edges + 1 else np.full(len(rows), rules.first_label)
    return rows[:, :edges], activate(rows[:, edges], rules.activation, axis=0), np.rint(labels)


def _dense(
    outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules, edges: int, categories: int
) -> _Parts:
    values = _only(outputs, rules)
    values = values.reshape(-1, values.shape[-1])
    if len(values) != edges + categories:
        raise ValueError("other rows than edges and classes")
    scores = activate(values[edges:], rules.activation, axis=0)
    return values[:edges].T, scores.max(axis=0), scores.argmax(axis=0) + rules.first_label


def _queries(
    outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules, edges: int, categories: int
) -> _Parts:
    boxes = _named(outputs, rules.names["boxes"] or "boxes").reshape(-1, edges)
    logits = _named(outputs, rules.names["scores"] or "scores")
    logits = logits.reshape(-1, logits.shape[-1])
    if logits.shape[1] < categories:
        raise ValueError("fewer scores than categories")
    scores = activate(logits, rules.activation)[:, :categories]
    return boxes, scores.max(axis=1), scores.argmax(axis=1) + rules.first_label


_READERS = {"separate": _separate, "rows": _rows, "dense": _dense, "queries": _queries}


def _named(outputs: Mapping[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    if name not in outputs:
        raise InferenceFailed(f"the network has no output {name!r}, only {', '.join(outputs)}")
    return np.asarray(outputs[name], dtype=np.float32)


def _only(outputs: Mapping[str, NDArray[np.float32]], rules: DetectorRules) -> NDArray[np.float32]:
    return _named(outputs, rules.names["output"] or next(iter(outputs)))
