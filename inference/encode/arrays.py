"""Mask and probability map of a prediction, checked against their source."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import EncodingFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction


@dataclass(frozen=True, slots=True)
class PredictionArrays:
    """What a model drew.

    Attributes
    ----------
    mask
        uint8 (slices, rows, columns), 0 is background, else the segment's number.
    probability
        float16 of the same shape, 0 to 1.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float16]


def load_arrays(prediction: Prediction, shape: tuple[int, ...]) -> PredictionArrays:
    """Unpack the arrays of a prediction.

    Parameters
    ----------
    shape
        (slices, rows, columns) of the source.

    Raises
    ------
    EncodingFailed
        If an array is missing, has another shape or type, or names a segment that the prediction does
        not describe, or the other way round.
    """
    try:
        with np.load(io.BytesIO(prediction.arrays), allow_pickle=False) as archive:
            mask, probability = archive["mask"], archive["probability"]
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as exc:
        raise EncodingFailed("the prediction's arrays are no .npz with `mask` and `probability`") from exc
    if mask.shape != shape or probability.shape != shape:
        raise EncodingFailed(
            f"mask {mask.shape} and probability {probability.shape} do not have the source's shape {shape}"
        )
    if mask.dtype != np.uint8 or probability.dtype.kind != "f":
        raise EncodingFailed("mask must be uint8 and probability a floating-point array")
    drawn = {number for number in range(1, int(mask.max()) + 1) if (mask == number).any()}
    described = [segment.number for segment in prediction.segments]
    if described != list(range(1, len(described) + 1)):
        raise EncodingFailed("segments must be numbered 1, 2, 3 ... in their order (PS3.3 C.8.20.4)")
    if drawn != set(described):
        raise EncodingFailed("the mask's values and the prediction's segments differ")
    return PredictionArrays(mask, probability.astype(np.float16, copy=False))
