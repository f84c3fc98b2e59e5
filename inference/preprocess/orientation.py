"""Turns volumes to the axes that a model was trained with, and results back, voxel for voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from nibabel.orientations import io_orientation

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """How a volume's axes are permuted and flipped to run right, anterior, superior.

    Nothing is interpolated: an oblique volume takes the nearest axes.

    Attributes
    ----------
    axes
        Which axis of the volume becomes the first (right), second (anterior) and third (superior).
    flipped
        For each of these three, whether it runs the other way in the volume.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def to_ras(self, voxels: NDArray[T]) -> NDArray[T]:
        """A view of `voxels` whose axes run right, anterior, superior."""
        return voxels.transpose(self.axes)[self._flips]

    def from_ras(self, voxels: NDArray[T]) -> NDArray[T]:
        """The inverse of `to_ras`, a view."""
        return voxels[self._flips].transpose(np.argsort(self.axes))

    @property
    def _flips(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)


def closest_axes(affine: NDArray[np.float64]) -> AxisOrder:
    """The axis order of a volume with this affine (voxel index to LPS, mm).

    Raises
    ------
    InferenceFailed
        If two axes of the volume point the same way.
    """
    orientation = io_orientation(_LPS_TO_RAS @ affine)
    if not np.isfinite(orientation).all():
        raise InferenceFailed("the volume's axes do not span space")
    axes, flipped = [0, 0, 0], [False, False, False]
    for source, (target, direction) in enumerate(orientation):
        axes[int(target)] = source
        flipped[int(target)] = direction < 0
    return AxisOrder((axes[0], axes[1], axes[2]), (flipped[0], flipped[1], flipped[2]))
