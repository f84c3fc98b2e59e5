"""Facts of volumes and masks that gates decide on. Pure NumPy; the model process takes those of masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, label

from inference.gates.pixels import measure_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.preprocess.volume import Volume

#: Masks are measured on a grid of about this spacing, mm: shape and brightness need no finer one.
MEASURING_GRID_MM = 2.0
#: Share of the range of brightness that is more than air.
BODY_BRIGHTNESS = 0.1
#: How thick the rim of a mask is, and how deep its core lies, mm.
RIM_MM, CORE_MM = 3.0, 12.0
_AXIS_NAMES = ("left_right", "posterior_anterior", "inferior_superior")


def measure_volume(volume: Volume) -> dict[str, float]:
    """Facts of an image: those of `measure_pixels`, and its place in the patient.

    `tilt_deg` and the extents `coverage_mm`, `finest_spacing_mm`, `coarsest_spacing_mm`.
    """
    return {
        **measure_pixels(volume.voxels),
        "tilt_deg": volume.tilt_deg,
        "coverage_mm": min(volume.extent_mm),
        "finest_spacing_mm": min(volume.spacing_mm),
        "coarsest_spacing_mm": max(volume.spacing_mm),
    }


def measure_mask(
    voxels: NDArray[np.float32], mask: NDArray[np.uint8], affine: NDArray[np.float64]
) -> dict[str, float]:
    """Facts of all segments together: size, place, shape, and how bright it is inside.

    Parameters
    ----------
    voxels, mask
        (slices, rows, columns).
    affine
        Voxel index to LPS, mm.

    Returns
    -------
    dict
        `volume_ml`; and where the mask is not empty `border_contact`, `extent_..._mm` along the
        patient's axes, `elongation`, `symmetry` along the left-right axis, `left_share` (of the mask on the
        patient's left of the body's middle), `largest_component` (share of the mask in its largest connected
        piece), `components`, and, where the mask is deep enough, `rim_to_core`.
    """
    inside = mask > 0
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    facts = {"volume_ml": int(inside.sum()) * voxel_mm3 / 1000}
    if not inside.any():
        return facts
    facts["border_contact"] = _border_contact(inside)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = np.maximum(1, np.round(MEASURING_GRID_MM / spacing)).astype(int)
    grid = tuple(slice(None, None, int(step)) for step in steps)
    coarse = inside[grid]
    if int(coarse.sum()) < 8:
        return facts
    directions = affine[:3, :3] * steps
    # A copy: what follows walks over it several times.
    looked_at = np.ascontiguousarray(voxels[grid])
    darkest, brightest = (float(value) for value in np.percentile(looked_at, (1, 99)))
    facts |= _shape(coarse, directions)
    facts |= _pieces(coarse)
    body = looked_at > darkest + BODY_BRIGHTNESS * (brightest - darkest)
    facts["left_share"] = _left_share(body, coarse, directions)
    facts |= _brightness(looked_at, coarse, spacing * steps, darkest)
    return facts


def _border_contact(inside: NDArray[np.bool_]) -> float:
    """The largest share of a cross-section that an edge of the volume cuts."""
    worst = 0.0
    for axis in range(3):
        areas = inside.sum(axis=tuple(other for other in range(3) if other != axis))
        worst = max(worst, float(max(areas[0], areas[-1]) / areas.max()))
    return worst


def _shape(inside: NDArray[np.bool_], directions: NDArray[np.float64]) -> dict[str, float]:
    points = np.argwhere(inside) @ directions.T
    thickness = np.abs(directions).max(axis=1)
    extents = np.ptp(points, axis=0) + thickness
    variances = np.linalg.eigvalsh(np.cov(points, rowvar=False))
    facts = {f"extent_{name}_mm": float(extent) for name, extent in zip(_AXIS_NAMES, extents, strict=True)}
    if variances[0] > 0:
        facts["elongation"] = float(np.sqrt(variances[-1] / variances[0]))
    left_right = int(np.argmax(np.abs(directions[0])))
    facts["symmetry"] = _symmetry(np.moveaxis(inside, left_right, 0))
    return facts


def _pieces(inside: NDArray[np.bool_]) -> dict[str, float]:
    pieces, count = label(inside, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel())[1:]
    return {"components": float(count), "largest_component": float(sizes.max() / sizes.sum())}


def _left_share(body: NDArray[np.bool_], inside: NDArray[np.bool_], directions: NDArray[np.float64]) -> float:
    """Share of the mask on the left of the middle of all that is brighter than air."""
    # LPS: the first coordinate grows to the patient's left.
    left = sum(
        np.arange(count).reshape(np.roll((count, 1, 1), axis)) * step
        for axis, (count, step) in enumerate(zip(inside.shape, directions[0], strict=True))
    )
    left = np.broadcast_to(np.asarray(left), inside.shape)
    middle = float(left[body].mean() if body.any() else left.mean())
    return float((left[inside] > middle).mean())


def _symmetry(inside: NDArray[np.bool_]) -> float:
    """Dice of a mask and its mirror image about the middle of its first axis."""
    count = inside.shape[0]
    weights = inside.sum(axis=(1, 2))
    # Twice the centre of mass: index i faces index twice - i.
    twice = round(2 * float(np.average(np.arange(count), weights=weights)))
    facing = twice - np.arange(count)
    valid = (facing >= 0) & (facing < count)
    both = int((inside[valid] & inside[facing[valid]]).sum())
    return both / int(inside.sum())


def _brightness(
    voxels: NDArray[np.float32], inside: NDArray[np.bool_], spacing: NDArray[np.float64], darkest: float
) -> dict[str, float]:
    box = find_objects(inside.view(np.uint8))[0]
    within, around = voxels[box], inside[box]
    # The box's surroundings hold nothing of the mask: background around it is as near as any. It stands for
    # what lies beyond the volume too, so that a mask at its edge has a rim there.
    depth = distance_transform_edt(np.pad(around, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    core = depth > CORE_MM
    rim = (depth > 0) & (depth <= RIM_MM)
    if not core.any() or not rim.any():
        return {}
    brightness = float(np.median(within[core])) - darkest
    if brightness <= 0:
        return {}
    return {"rim_to_core": (float(np.median(within[rim])) - darkest) / brightness}
