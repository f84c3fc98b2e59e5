"""Whether what a model gave is what its manifest promises. In the model process."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed
from dicom_node.domain.finding import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import ModelInput, ModelOutput


def check_output(manifest: ModelManifest, given: ModelInput, output: ModelOutput) -> None:
    """Compare an output with the manifest and with its input.

    Raises
    ------
    InferenceFailed
        If a part is missing, of another shape or type, out of range, or named otherwise; it says which.
    """
    shape = given.voxels.shape[:3]
    _check_mask(manifest, output, shape)
    _check_classes(manifest, output, shape[0])
    names = {one.name for one in manifest.detections}
    for box in output.detections:
        if box.name not in names:
            raise InferenceFailed(f"a box is called {box.name!r}, the manifest's detections are not")
        begin, end = box.box[:3], box.box[3:]
        inside = all(0 <= a < b <= n for a, b, n in zip(begin, end, shape, strict=True))
        if not inside or not 0 <= box.score <= 1:
            raise InferenceFailed("a box is empty or lies beyond the image, or its score is not from 0 to 1")
    wanted = {one.name for one in manifest.maps}
    if set(output.maps) != wanted:
        raise InferenceFailed("the model's maps and the manifest's differ")
    for values in output.maps.values():
        _check_array("a map", values, shape)
    _check_heat(manifest, output, shape)


def _check_mask(manifest: ModelManifest, output: ModelOutput, shape: tuple[int, ...]) -> None:
    mask = output.mask
    if mask is None and (manifest.task is Task.SEGMENTATION or manifest.segments):
        raise InferenceFailed("the model gave no mask, but the manifest describes segments")
    if mask is not None:
        if mask.shape != shape or mask.dtype != np.uint8:
            raise InferenceFailed(f"the mask is {mask.dtype} {mask.shape}; it must be uint8 {shape}")
        if int(mask.max(initial=0)) > len(manifest.segments):
            raise InferenceFailed(
                f"the mask holds the value {int(mask.max())}, but the manifest describes"
                f" {len(manifest.segments)} segments"
            )
    if output.probability is not None:
        _check_array("the probability", output.probability, shape)
        if output.probability.size and not 0 <= output.probability.min() <= output.probability.max() <= 1:
            raise InferenceFailed("the probability is not from 0 to 1")


def _check_classes(manifest: ModelManifest, output: ModelOutput, slices: int) -> None:
    classes = manifest.classification.classes if manifest.classification else ()
    if set(output.classes) != {one.name for one in classes}:
        raise InferenceFailed("the model's classes and the manifest's differ")
    if not all(isfinite(p) and -1e-6 <= p <= 1 + 1e-6 for p in output.classes.values()):
        raise InferenceFailed("the probability of a class is not from 0 to 1")
    said = output.slice_probability
    if said is None:
        return
    if said.shape != (len(output.slice_index), len(classes)) or not np.isfinite(said).all():
        raise InferenceFailed("what is said of single slices does not fit to slices and classes")
    _check_index(output.slice_index, slices)


def _check_heat(manifest: ModelManifest, output: ModelOutput, shape: tuple[int, ...]) -> None:
    heat = output.heat
    if heat is None:
        return
    if heat.values.shape != (len(heat.slices), *shape[1:]) or not np.isfinite(heat.values).all():
        raise InferenceFailed("the heat does not lie on slices of the input")
    _check_index(heat.slices, shape[0])
    classes = manifest.classification.classes if manifest.classification else ()
    if heat.target not in {one.name for one in classes}:
        raise InferenceFailed(f"the heat explains {heat.target!r}, which is no class of the manifest")


def _check_index(index: tuple[int, ...], slices: int) -> None:
    if len(set(index)) != len(index) or not all(0 <= number < slices for number in index):
        raise InferenceFailed("slices are named that the input does not have, or one of them twice")


def _check_array(what: str, values: NDArray[np.floating], shape: tuple[int, ...]) -> None:
    if values.shape != shape or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise InferenceFailed(f"{what} is not a number for each voxel of {shape}")
