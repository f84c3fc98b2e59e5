"""Turns volumes to the axes that a model was trained with, and results back, voxel for voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation

from dicom_node.domain.errors import InferenceFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class AxisOrder:
    """How a volume's axes are permuted and flipped to run as a model wants: right, anterior, superior, say.

    Nothing is interpolated: an oblique volume takes the nearest axes.

    Attributes
    ----------
    axes
        Which axis of the volume becomes the first, second and third.
    flipped
        For each of these three, whether it runs the other way in the volume.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    def turned(self, voxels: NDArray[T]) -> NDArray[T]:
        """A view of `voxels` with the model's axes."""
        return voxels.transpose(self.axes)[self._flips]

    def turned_back(self, voxels: NDArray[T]) -> NDArray[T]:
        """The inverse of `turned`, a view."""
        return voxels[self._flips].transpose(np.argsort(self.axes))

    def edges_back(
        self, begin: NDArray[np.float64], end: NDArray[np.float64], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Edges of boxes in the turned volume as edges in the volume itself.

        Parameters
        ----------
        begin, end
            (n, 3), where boxes begin and end; the first voxel reaches from 0 to 1.
        shape
            Of the turned volume.

        Returns
        -------
        NDArray
            (n, 6): where they begin, then where they end.
        """
        sizes, flipped = np.array(shape), np.array(self.flipped)
        first, last = np.where(flipped, sizes - end, begin), np.where(flipped, sizes - begin, end)
        back = np.argsort(self.axes)
        return np.concatenate([first[:, back], last[:, back]], axis=1)

    @property
    def _flips(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)


def closest_axes(affine: NDArray[np.float64], towards: str = "RAS") -> AxisOrder:
    """How a volume with this affine (voxel index to LPS, mm) is turned.

    Parameters
    ----------
    towards
        Where the model's first, second and third axis run: one letter each of R or L, A or P, S or I.

    Raises
    ------
    InferenceFailed
        If two axes of the volume point the same way, or `towards` names no three axes.
    """
    wanted = _wanted(towards)
    orientation = io_orientation(_LPS_TO_RAS @ affine)
    if not np.isfinite(orientation).all():
        raise InferenceFailed("the volume's axes do not span space")
    axes, flipped = [0, 0, 0], [False, False, False]
    for source, (target, direction) in enumerate(orientation):
        place, sense = wanted[int(target)]
        axes[place] = source
        flipped[place] = direction * sense < 0
    return AxisOrder((axes[0], axes[1], axes[2]), (flipped[0], flipped[1], flipped[2]))


def _wanted(towards: str) -> dict[int, tuple[int, float]]:
    """For right, anterior and superior: which of the model's axes runs so, and whether along or against."""
    letters = tuple(towards)
    if sorted("RAS"["RLAPSI".find(letter) // 2] for letter in letters if letter in "RLAPSI") != list("ARS"):
        raise InferenceFailed(f"orientation {towards!r} names no three axes; it is RAS or LPS, say")
    return {int(axis): (place, float(sense)) for place, (axis, sense) in enumerate(axcodes2ornt(letters))}
