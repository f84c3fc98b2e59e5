"""Arrays of a prediction, checked against their source."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction

    _Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class PredictionArrays:
    """What a model drew and said of single voxels and slices; `None` or empty where it did not.

    Attributes
    ----------
    mask
        uint8 (slices, rows, columns), 0 is background, else the segment's number.
    probability
        float16 of the same shape, 0 to 1.
    heat
        float16 (n, rows, columns), 0 to 1.
    heat_index
        int32 (n,), the source slice of each, from 0.
    slice_index
        int32 (k,), the slices that a classifier looked at.
    slice_probability
        float32 (k, classes), what it said of them.
    maps
        float32 (slices, rows, columns) by the map's name.
    """

    mask: NDArray[np.uint8] | None = None
    probability: NDArray[np.float16] | None = None
    heat: NDArray[np.float16] | None = None
    heat_index: NDArray[np.int32] | None = None
    slice_index: NDArray[np.int32] | None = None
    slice_probability: NDArray[np.float32] | None = None
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def load_arrays(prediction: Prediction, shape: tuple[int, ...]) -> PredictionArrays:
    """Unpack the arrays of a prediction.

    Parameters
    ----------
    shape
        (slices, rows, columns) of the source.

    Raises
    ------
    EncodingFailed
        If an array is missing, has another shape or type, or names a segment, slice, class or map that the
        prediction does not describe. A segment without a voxel is none: it was looked for and not found.
    """
    arrays = _unpack(prediction)
    mask = _on_source(arrays, "mask", shape, "u")
    probability = _on_source(arrays, "probability", shape, "f")
    if mask is not None and mask.dtype != np.uint8:
        raise EncodingFailed("mask must be uint8")
    _check_segments(prediction, mask)
    heat, heat_index = _by_slice(arrays, "heat", "heat_index", shape[1:], shape[0])
    classes = (len(prediction.classes),)
    said, looked_at = _by_slice(arrays, "slice_probability", "slice_index", classes, shape[0])
    maps = {one.name: _on_source(arrays, f"map_{one.name}", shape, "f") for one in prediction.maps}
    missing = [name for name, values in maps.items() if values is None]
    if missing:
        raise EncodingFailed(f"the prediction's arrays lack the map {missing[0]}")
    return PredictionArrays(
        mask=None if mask is None else mask.astype(np.uint8, copy=False),
        probability=None if probability is None else probability.astype(np.float16, copy=False),
        heat=None if heat is None else heat.astype(np.float16, copy=False),
        heat_index=heat_index,
        slice_index=looked_at,
        slice_probability=None if said is None else said.astype(np.float32, copy=False),
        maps={
            name: values.astype(np.float32, copy=False) for name, values in maps.items() if values is not None
        },
    )


def _unpack(prediction: Prediction) -> _Arrays:
    if not prediction.arrays and prediction.task is not Task.SEGMENTATION:
        return {}
    try:
        with np.load(io.BytesIO(prediction.arrays), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        raise EncodingFailed("the prediction's arrays are no .npz archive of arrays") from exc
    for name in ("mask", "probability") if prediction.segments else ():
        if name not in arrays:
            raise EncodingFailed(f"the prediction's arrays are no .npz with `{name}`, which segments need")
    return arrays


def _on_source(arrays: _Arrays, name: str, shape: tuple[int, ...], kind: str) -> NDArray[np.generic] | None:
    values = arrays.get(name)
    if values is None:
        return None
    if values.shape != shape:
        raise EncodingFailed(f"{name} {values.shape} does not have the source's shape {shape}")
    if values.dtype.kind != kind:
        raise EncodingFailed("mask must be uint8, and probability and maps floating-point arrays")
    return values


def _check_segments(prediction: Prediction, mask: NDArray[np.generic] | None) -> None:
    described = [segment.number for segment in prediction.segments]
    if described != list(range(1, len(described) + 1)):
        raise EncodingFailed("segments must be numbered 1, 2, 3 ... in their order (PS3.3 C.8.20.4)")
    if mask is not None and int(mask.max(initial=0)) > len(described):
        raise EncodingFailed("the mask's values and the prediction's segments differ")


def _by_slice(
    arrays: _Arrays, name: str, index_name: str, shape: tuple[int, ...], slices: int
) -> tuple[NDArray[np.generic] | None, NDArray[np.int32] | None]:
    """Values of some slices, and which slices these are."""
    values, index = arrays.get(name), arrays.get(index_name)
    if values is None and index is None:
        return None, None
    if values is None or index is None or index.dtype.kind not in "iu" or values.dtype.kind != "f":
        raise EncodingFailed(f"{name} needs {index_name}: floating-point numbers, and whole numbers")
    if values.shape != (len(index), *shape):
        raise EncodingFailed(f"{name} {values.shape} does not have the shape {(len(index), *shape)}")
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < slices:
        raise EncodingFailed(f"{index_name} names a slice that the source does not have")
    return values, index.astype(np.int32, copy=False)
