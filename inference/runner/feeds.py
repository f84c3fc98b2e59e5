"""Brings the predictions that a model is fed with onto the grid of its own input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import affine_transform

from dicom_node.domain.run import Reason, RejectionKind, RunStatus
from inference.preprocess.series import read_volume
from inference.preprocess.volume import VolumeRefused
from inference.runner.arrays import unpack_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.runner.source import RunInput

_FRAME_OF_REFERENCE = "00200052"
#: Affines that differ less than this are the same, mm.
_SAME_MM = 1e-3


class FeedMissing(Exception):
    """A prediction that is needed is not there, or does not fit; `reason` says which and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


def needed_predictions(
    names: Sequence[str], feeds: Mapping[str, Prediction], subject: str
) -> tuple[Prediction, ...]:
    """The predictions of the models in `names`.

    Raises
    ------
    FeedMissing
        If one is missing or no result.
    """
    for name in names:
        found = feeds.get(name)
        if found is None:
            raise _missing(subject, f"the result of {name} is needed, but that model did not run or failed")
        if found.status is not RunStatus.DONE:
            raise _missing(
                subject, f"the result of {name} is needed, but that model gave none ({found.reason})"
            )
    return tuple(feeds[name] for name in names)


def feed_arrays(
    predictions: Sequence[Prediction], given: RunInput, study: StudyInput, subject: str
) -> dict[str, NDArray[Any]]:
    """Arrays of predictions on the grid of an input, by `<model>.<array>`.

    Those of the same slices are taken as they are. Others of the same frame of reference are resampled: the
    nearest value of masks, linear between voxels of all others, 0 outside.

    Parameters
    ----------
    subject
        The series that the model works on.

    Raises
    ------
    FeedMissing
        If a prediction lies in another frame of reference, or its series is no volume.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for prediction in predictions:
        drawn = {
            name: values
            for name, values in unpack_arrays(prediction.arrays).items()
            if name in ("mask", "probability") or name.startswith("map_")
        }
        if not _same_slices(prediction, given):
            matrix = _to_feed(prediction, given, study, subject)
            drawn = {
                name: _resampled(values, matrix, given.voxels.shape[:3]) for name, values in drawn.items()
            }
        arrays |= {f"{prediction.model.name}.{name}": values for name, values in drawn.items()}
    return arrays


def _same_slices(prediction: Prediction, given: RunInput) -> bool:
    return (
        given.kept is None
        and prediction.source_sop_instance_uids == given.source.sop_instance_uids
        and prediction.source_frames == given.source.frames
    )


def _to_feed(prediction: Prediction, given: RunInput, study: StudyInput, subject: str) -> NDArray[np.float64]:
    """From voxels of the input to voxels of the prediction's arrays."""
    name = prediction.model.name
    own, other = (
        _frame_of_reference(study.instances, uid) for uid in (subject, prediction.series_instance_uid)
    )
    if given.affine is None or not own or own != other:
        raise _missing(
            subject, f"the result of {name} lies in another frame of reference, so it cannot be brought over"
        )
    try:
        volume = read_volume(prediction.source_sop_instance_uids, study.read, max_voxels=2**40)
    except VolumeRefused as exc:
        raise _missing(subject, f"the series of the result of {name} is no volume: {exc.text}") from exc
    return np.asarray(np.linalg.inv(volume.affine) @ given.affine)


def _resampled(values: NDArray[Any], matrix: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[Any]:
    order = 0 if values.dtype.kind in "iub" else 1
    source = values if order == 0 else values.astype(np.float32)
    if values.shape == shape and np.abs(matrix - np.eye(4)).max() < _SAME_MM:
        return source
    return np.asarray(affine_transform(source, matrix, output_shape=shape, order=order, mode="constant"))


def _frame_of_reference(instances: Sequence[CatalogEntry], series_instance_uid: str) -> str:
    for entry in instances:
        if entry.series_instance_uid == series_instance_uid:
            values = entry.attributes.get(_FRAME_OF_REFERENCE, {}).get("Value") or [""]
            return str(values[0])
    return ""


def _missing(subject: str, text: str) -> FeedMissing:
    return FeedMissing(Reason(subject, "gate.needs", False, text, RejectionKind.MISSING_RESULT))
