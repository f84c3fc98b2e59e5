"""Boxes of the manifest's categories from what a detecting bundle gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.runner.adapter import DetectedBox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from inference.adapters.bundle.grid import SourceGrid
    from inference.adapters.bundle.run import BundleOutput
    from inference.contract.outputs import OutputDetection

#: What detectors of MONAI call their parts.
BOXES = ("box", "boxes")
LABELS = ("label", "labels")
SCORES = ("label_scores", "labels_scores", "scores", "score")


def found_boxes(
    output: BundleOutput, grid: SourceGrid, categories: Sequence[OutputDetection], *, first_slice: int = 0
) -> list[DetectedBox]:
    """Map the detector's own boxes to the source, those that reach their category's score.

    Parameters
    ----------
    first_slice
        Added to the boxes' slices, for images that are one slice of several.

    Raises
    ------
    InferenceFailed
        If the bundle gives no boxes, or a category that the manifest does not describe.
    """
    if not isinstance(output.raw, dict):
        raise InferenceFailed("the bundle gives no boxes")
    boxes, labels, scores = (_part(output.raw, names) for names in (BOXES, LABELS, SCORES))
    corners = boxes.reshape(len(boxes), 2, -1)
    if corners.shape[2] == 2:
        flat = np.zeros((len(boxes), 2, 1))
        corners = np.concatenate([corners, flat], axis=2)
    affine = np.asarray(getattr(output.image, "affine", np.eye(4)), dtype=np.float64)
    found = []
    for box, label, score in zip(corners, labels, scores, strict=True):
        if not 0 <= int(label) < len(categories):
            raise InferenceFailed(
                f"the bundle found category {int(label)}; the manifest has {len(categories)}"
            )
        category = categories[int(label)]
        if score < category.min_score:
            continue
        z, y, x, to_z, to_y, to_x = grid.box(box, affine)
        if boxes.shape[1] == 4:
            z, to_z = float(first_slice), first_slice + 1.0
        if to_z > z and to_y > y and to_x > x:
            found.append(DetectedBox(category.name, min(1.0, float(score)), (z, y, x, to_z, to_y, to_x)))
    return found


def _part(raw: Mapping[str, Any], names: Sequence[str]) -> NDArray[np.float64]:
    for name in names:
        if name in raw:
            part = raw[name]
            return np.asarray(part.detach().cpu() if hasattr(part, "detach") else part, dtype=np.float64)
    raise InferenceFailed(f"the bundle's boxes have no {names[0]}")
