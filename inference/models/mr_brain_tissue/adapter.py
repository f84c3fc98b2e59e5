"""Tissues of the brain as a model of the node; it is fed with the mask of mr-brain-extraction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from inference.models.mr_brain_tissue.mixture import coherence, fit_mixture, steady
from inference.runner.adapter import ModelOutput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.runner.adapter import ModelInput

FEED = "mr-brain-extraction.mask"
#: Names of the facts, in the order of the manifest's segments, dark to bright.
_TISSUES = ("csf", "grey", "white")


class BrainTissue:
    """Labels what lies inside the intracranial mask."""

    def __init__(self, weights: Mapping[str, Path], device: str) -> None:
        """There is nothing to load."""

    def warm_up(self) -> None:
        """Nothing is compiled."""

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Label one head."""
        assert volume.affine is not None  # noqa: S101  the manifest takes volumes only
        inside = volume.feeds[FEED] != 0
        box = _box(inside)
        first, second, third = (float(x) for x in np.linalg.norm(volume.affine[:3, :3], axis=0))
        head, part = volume.voxels[box], inside[box]
        try:
            mixture = fit_mixture(head, part, (first, second, third))
        except ValueError as exc:
            raise InferenceFailed(f"tissues cannot be told apart: {exc}") from exc
        alone = mixture.posterior(head)
        tissues = steady(alone, part)
        labels = np.zeros(volume.voxels.shape, dtype=np.uint8)
        labels[box] = np.where(part, tissues.argmax(axis=0) + 1, 0)
        grey = np.zeros(volume.voxels.shape, dtype=np.float32)
        grey[box] = tissues[1]
        voxel_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000
        counts = np.bincount(labels.ravel(), minlength=4)[1:]
        facts = {f"{name}_ml": int(n) * voxel_ml for name, n in zip(_TISSUES, counts, strict=True)}
        facts |= {
            f"{name}_share": int(n) / max(int(counts.sum()), 1)
            for name, n in zip(_TISSUES, counts, strict=True)
        }
        facts["brain_ml"] = facts["grey_ml"] + facts["white_ml"]
        gaps = np.diff(mixture.means) / (mixture.deviations[:-1] + mixture.deviations[1:])
        facts["fluid_contrast"], facts["grey_white_contrast"] = (float(gap) for gap in gaps)
        return ModelOutput(
            confidence=coherence(alone, part),
            mask=labels,
            probability=_placed(tissues.max(axis=0), box, volume.voxels.shape),
            maps={"grey_matter": grey},
            facts=facts,
        )


def _box(inside: NDArray[np.bool_]) -> tuple[slice, ...]:
    if not inside.any():
        raise InferenceFailed("the intracranial mask is empty")
    found = []
    for axis in range(3):
        filled = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        found.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(found)


def _placed(part: NDArray[np.float32], box: tuple[slice, ...], shape: tuple[int, ...]) -> NDArray[np.float32]:
    whole = np.zeros(shape, dtype=np.float32)
    whole[box] = part
    return whole
