"""The voxels that a model was given, as a place for what reports draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inference.preprocess.frames import Frame, frames_of, read_instance
from inference.preprocess.geometry import plane_of
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput
    from inference.preprocess.geometry import Plane


@dataclass(frozen=True, slots=True)
class Grid:
    """Slices in the order of a prediction's arrays.

    Attributes
    ----------
    sop_instance_uids, frames
        As `Prediction.source_sop_instance_uids` and `source_frames`.
    planes
        Where each slice lies; empty where the images have no place in the patient.
    """

    sop_instance_uids: tuple[str, ...]
    frames: tuple[int, ...]
    planes: tuple[Plane, ...]

    def slice_of(self, sop_instance_uid: str, frames: Sequence[int]) -> int | None:
        """Index of the slice that an image reference means; `None` where the model was not given it."""
        if sop_instance_uid not in self.sop_instance_uids:
            return None
        if not self.frames:
            return self.sop_instance_uids.index(sop_instance_uid)
        if len(frames) != 1 or frames[0] not in self.frames:
            return None
        return self.frames.index(frames[0])

    def voxels_of(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Slice, row and column of points in LPS, mm: the first voxel reaches from 0 to 1.

        Parameters
        ----------
        points
            (n, 3).
        """
        normal = self.planes[0].normal
        distances = np.array([float(plane.position @ normal) for plane in self.planes])
        wanted = points @ normal
        step = float(np.median(np.diff(distances))) if len(distances) > 1 else 1.0
        index = np.interp(wanted, distances, np.arange(len(distances), dtype=np.float64))
        # Beyond the first and last slice in steps of the usual length.
        index += (np.minimum(wanted - distances[0], 0) + np.maximum(wanted - distances[-1], 0)) / step
        nearest = np.clip(np.rint(index), 0, len(self.planes) - 1).astype(int)
        voxels = np.empty_like(points)
        for row, (point, place) in enumerate(zip(points, nearest, strict=True)):
            plane = self.planes[place]
            offset = point - plane.position
            down = float(offset @ plane.orientation[3:]) / plane.spacing[0]
            along = float(offset @ plane.orientation[:3]) / plane.spacing[1]
            voxels[row] = index[row] + 0.5, down + 0.5, along + 0.5
        return voxels

    @property
    def frame_of_reference(self) -> str | None:
        """UID of the slices' frame of reference; `None` where they have no place in the patient."""
        return self.planes[0].frame_of_reference if self.planes else None


def read_grid(study: StudyInput, prediction: Prediction) -> Grid:
    """The slices that a prediction's arrays stand for, from their headers.

    Raises
    ------
    VolumeRefused
        If an instance cannot be read.
    """
    frames: list[Frame] = []
    for uid in prediction.source_sop_instance_uids:
        ds = read_instance(study.read(uid))
        ds.pop("PixelData", None)
        every = frames_of(ds)
        frames += (
            [every[number - 1] for number in prediction.source_frames] if prediction.source_frames else every
        )
    try:
        planes = tuple(plane_of(frame) for frame in frames)
    except VolumeRefused:
        planes = ()
    return Grid(prediction.source_sop_instance_uids, prediction.source_frames, planes)
