"""Evaluates a segmenter on images with masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicom_node.domain.errors import ConfigurationError, InferenceFailed
from dicom_node.domain.finding import Task
from inference.evaluation.loaded import LoadedModel
from inference.evaluation.overlap import compare, summarise
from inference.training.pairs import pairs_sha256, read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest

Rows = list[dict[str, float | None]]


def evaluate_masks(
    manifest: ModelManifest,
    data: Path,
    *,
    device: str = "cpu",
    trusted: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of a segmenter on `images/` and `masks/` of a folder (PNG or NIfTI), without gates.

    Raises
    ------
    ConfigurationError
        If the package is no segmenter, or the folder does not hold pairs.
    """
    must_segment(manifest)
    pairs = read_pairs(data)
    model = LoadedModel(manifest, device, trusted)
    rows: dict[int, Rows] = {segment.number: [] for segment in manifest.segments}
    for number, pair in enumerate(pairs, 1):
        if pair.affine is None:
            found, spacing = model.see_picture(pair.image * np.float32(255)).mask, [1.0, 1.0]
            found = None if found is None else found[0]
        else:
            found = model.see_volume(pair.image, pair.affine).mask
            spacing = np.linalg.norm(pair.affine[:3, :3], axis=0).tolist()
        add_rows(rows, found, pair.mask, spacing)
        if progress is not None:
            progress(number, len(pairs))
    return report_of(manifest, rows, pairs_sha256(pairs), "mm" if pairs[0].affine is not None else "pixels")


def is_pairs(data: Path) -> bool:
    """Whether a folder holds images and masks."""
    return (data / "images").is_dir() and (data / "masks").is_dir()


def add_rows(
    rows: dict[int, Rows],
    found: NDArray[np.uint8] | None,
    reference: NDArray[np.uint8],
    spacing: list[float],
) -> None:
    """Compare the masks of one case, segment by segment.

    Raises
    ------
    InferenceFailed
        If the model gave none.
    """
    if found is None:
        raise InferenceFailed("the model gave no mask")
    for number, of_segment in rows.items():
        of_segment.append(compare(found == number, reference == number, spacing))


def must_segment(manifest: ModelManifest) -> None:
    """Refuse a package that gives no masks.

    Raises
    ------
    ConfigurationError
    """
    if manifest.task is not Task.SEGMENTATION:
        raise ConfigurationError(f"{manifest.name} is no segmenter: give pictures by class")


def report_of(manifest: ModelManifest, rows: dict[int, Rows], sha256: str, unit: str) -> dict[str, Any]:
    """Task and figures of all cases, by segment."""
    return {
        "task": "segmentation",
        "data_sha256": sha256,
        "distance_unit": unit,
        "figures": {
            segment.label: summarise(rows[segment.number]) | {"each": rows[segment.number]}
            for segment in manifest.segments
        },
    }
