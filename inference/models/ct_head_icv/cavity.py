"""The inside of the skull on a CT: what is soft, deep enough, and walled by bone all around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cc3d
import fill_voids
import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Brighter than this is bone, HU; brain, blood and fluid are darker.
BONE_HU = 180.0
#: Between these lies what fills the skull: fat is darker.
SOFT_HU = (-20.0, 100.0)
#: The cavity is what a ball of this radius reaches without touching bone, grown back by as much, mm: it does
#: not pass the openings at the base of the skull, and stays above the spinal canal.
BALL_MM = 13.0


@dataclass(frozen=True, slots=True)
class Cavity:
    """The inside of a skull.

    Attributes
    ----------
    mask
        (x, y, z).
    walled
        Share of its surface that bone stands close to.
    """

    mask: NDArray[np.bool_]
    walled: float


def find_cavity(hounsfield: NDArray[np.float32], spacing: tuple[float, float, float]) -> Cavity:
    """Find the intracranial space.

    Parameters
    ----------
    hounsfield
        (x, y, z), HU; axes run right, anterior and superior.
    spacing
        Along these axes, mm.

    Returns
    -------
    Cavity
        Empty where nothing is enclosed.
    """
    box = _box(hounsfield > BONE_HU)
    if box is None:
        return Cavity(np.zeros(hounsfield.shape, dtype=bool), 0.0)
    found, walled = _in_box(hounsfield[box], spacing)
    mask = np.zeros(hounsfield.shape, dtype=bool)
    mask[box] = found
    return Cavity(mask, walled)


def _in_box(
    hounsfield: NDArray[np.float32], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.bool_], float]:
    bone = hounsfield > BONE_HU
    soft = (hounsfield > SOFT_HU[0]) & (hounsfield < SOFT_HU[1]) & _enclosed(bone)
    depth = distance_transform_edt(~bone, sampling=spacing)
    seeds = _largest(soft & (depth > BALL_MM))
    if not seeds.any():
        return seeds, 0.0
    # Every place that a ball reaches from the seeds without touching bone.
    reached = distance_transform_edt(~seeds, sampling=spacing) < BALL_MM
    mask = _largest(reached & ~bone & (hounsfield > SOFT_HU[0]))
    # Vessels, calcified membranes and air inside belong to it.
    mask = np.asarray(fill_voids.fill(mask))
    return mask, _walled(mask, depth, spacing)


def _box(bone: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The part of the image that holds the bone: nothing outside is enclosed by it."""
    found = find_objects(bone.astype(np.uint8), max_label=1)[0]
    return None if found is None else tuple(found)


def _enclosed(bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where bone lies to the right and left, in front and behind, and above."""
    inside = np.ones(bone.shape, dtype=bool)
    for axis in (0, 1):
        inside &= np.logical_or.accumulate(bone, axis=axis)
        inside &= np.flip(np.logical_or.accumulate(np.flip(bone, axis), axis=axis), axis)
    inside &= np.flip(np.logical_or.accumulate(np.flip(bone, 2), axis=2), 2)
    return inside


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    return np.asarray(cc3d.largest_k(mask, k=1, connectivity=6) > 0)


def _walled(
    mask: NDArray[np.bool_], depth: NDArray[np.float64], spacing: tuple[float, float, float]
) -> float:
    """Of the cavity's outermost voxels, how many have bone within two voxels and 3 mm."""
    padded = np.pad(mask, 1)
    core = padded.copy()
    for axis in range(3):
        core &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    surface = mask & ~core[1:-1, 1:-1, 1:-1]
    return float((depth[surface] <= 2 * max(spacing) + 3.0).mean())
