"""A volume in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class VolumeRefused(InferenceFailed):
    """A series that is no volume; `rule` names the check that refused it.

    The engine makes a rejection of it, so that nobody sees a stack guessed from broken geometry.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text


@dataclass(frozen=True, slots=True)
class Volume:
    """A series as one array.

    Attributes
    ----------
    voxels
        float32 (slices, rows, columns) in modality units (rescaled), brighter is more. Slices ascend
        along the slice normal, which is the cross product of row and column direction.
    affine
        float64 4x4: (slice, row, column, 1), zero-based voxel centres, to LPS in mm.
    sop_instance_uids
        The instance of each slice that is in the source; of one multi-frame instance its UID once.
    source_frames
        Frame numbers (from 1) of these slices, where the source is one multi-frame instance; else empty.
    kept
        The slices that are in the source, where others were filled in between them; `None`: all are.
    notes
        What was left out, chosen or filled in, for people.
    """

    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    sop_instance_uids: tuple[str, ...]
    source_frames: tuple[int, ...] = ()
    kept: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along slices, rows and columns, mm."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Size of the volume along slices, rows and columns, mm."""
        slices, rows, columns = (n * step for n, step in zip(self.voxels.shape, self.spacing_mm, strict=True))
        return slices, rows, columns

    @property
    def tilt_deg(self) -> float:
        """Angle between the way from slice to slice and the slice normal, degrees (gantry tilt)."""
        step, down, along = (self.affine[:3, axis] for axis in range(3))
        normal = np.cross(along, down)
        cosine = float(step @ normal) / float(np.linalg.norm(step) * np.linalg.norm(normal))
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
