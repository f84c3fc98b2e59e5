"""The slices that say most of a finding."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicom_node.domain.finding import Prediction
    from inference.encode.arrays import PredictionArrays


def key_slices(
    prediction: Prediction, arrays: PredictionArrays, slices: int, count: int = 1
) -> tuple[int, ...]:
    """Indices of the slices that show the finding best, the best first, from 0; never empty.

    For a classifier those whose heat is drawn, in the order of what was said of them; for a detector the
    middles of the surest boxes; for a segmenter where each segment is largest, and where its probability is
    highest in sum. Where nothing is drawn: the middle slice.

    Parameters
    ----------
    slices
        Of the source.
    count
        At most so many.
    """
    return tuple(islice(ranked_slices(prediction, arrays, slices), count))


def ranked_slices(prediction: Prediction, arrays: PredictionArrays, slices: int) -> Iterator[int]:
    """All slices that `key_slices` knows of, each once; looked for as they are asked for."""
    seen: set[int] = set()
    for index in _candidates(prediction, arrays, slices):
        if index not in seen:
            seen.add(index)
            yield index
    if not seen:
        yield slices // 2


def middle_slice(box: tuple[float, ...], slices: int) -> int:
    """The slice through the middle of a box (`Detection.box`), from 0."""
    return int(np.clip(np.floor((box[0] + box[3]) / 2 - 1e-6), 0, slices - 1))


def _candidates(prediction: Prediction, arrays: PredictionArrays, slices: int) -> Iterator[int]:
    for detection in prediction.detections:
        yield middle_slice(detection.box, slices)
    if arrays.mask is not None:
        for segment in prediction.segments:
            areas = [np.count_nonzero(plane == segment.number) for plane in arrays.mask]
            yield int(np.argmax(areas))
    if arrays.heat is not None and arrays.heat_index is not None:
        weight = _weights(prediction, arrays)
        yield from sorted(map(int, arrays.heat_index), key=lambda index: (-weight.get(index, 0.0), index))
    elif arrays.slice_index is not None:
        weight = _weights(prediction, arrays)
        yield from sorted(map(int, arrays.slice_index), key=lambda index: (-weight[index], index))
    if arrays.probability is not None:
        sums = np.array([plane.sum(dtype=np.float32) for plane in arrays.probability])
        if sums.max() > 0:
            yield int(sums.argmax())


def _weights(prediction: Prediction, arrays: PredictionArrays) -> dict[int, float]:
    """What was said of each slice for the classes that are there; else how much heat it has."""
    if arrays.slice_index is not None and arrays.slice_probability is not None:
        present = [place for place, one in enumerate(prediction.classes) if one.present]
        said = arrays.slice_probability[:, present].sum(axis=1)
        return dict(zip(map(int, arrays.slice_index), map(float, said), strict=True))
    if arrays.heat is not None and arrays.heat_index is not None:
        heat = [float(plane.sum(dtype=np.float32)) for plane in arrays.heat]
        return dict(zip(map(int, arrays.heat_index), heat, strict=True))
    return {}
