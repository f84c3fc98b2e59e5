"""The lungs on a CT: air inside the body, without the windpipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cc3d
import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, uniform_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Lungs are looked for on a grid of about this spacing, mm.
GRID_MM = 2.0
#: Darker than this is air or lung, HU.
AIR_HU = -500.0
#: Smaller pieces are no lung, mL.
SMALLEST_ML = 150.0
#: An airway fits through an opening of this radius; what is left is lung, mm.
AIRWAY_MM = 11.0
#: The windpipe's air is darker than most lung, HU.
AIRWAY_HU = -930.0
#: Vessels narrower than twice this belong to the lung, mm.
VESSEL_MM = 4.0
#: Emphysema is darker than this at full inspiration, HU (Gevenois et al. 1996).
LOW_HU = -950.0
#: Density is mapped as the mean over a cube of this edge, mm.
MAP_MM = 20.0


def find_lungs(hounsfield: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Both lungs with their smaller vessels, without windpipe and main bronchi.

    They are found on a coarse grid; their border is then drawn voxel by voxel.

    Parameters
    ----------
    hounsfield
        (x, y, z), HU; axes run right, anterior and superior.
    spacing
        Along these axes, mm.

    Returns
    -------
    NDArray
        Empty where no piece of air inside the body is large enough.
    """
    steps = [max(1, round(GRID_MM / one)) for one in spacing]
    coarse = hounsfield[tuple(slice(step // 2, None, step) for step in steps)]
    first, second, third = (one * step for one, step in zip(spacing, steps, strict=True))
    lungs = _on_grid(coarse, (first, second, third))
    if not lungs.any():
        return np.zeros(hounsfield.shape, dtype=bool)
    core = _spread(binary_erosion(lungs), steps, hounsfield.shape)
    reach = _spread(binary_dilation(lungs), steps, hounsfield.shape)
    return np.asarray(core | (reach & (hounsfield < AIR_HU)))


def _on_grid(hounsfield: NDArray[np.float32], spacing: tuple[float, float, float]) -> NDArray[np.bool_]:
    air = _inside(hounsfield < AIR_HU)
    air &= ~_airways(hounsfield, air, spacing)
    lungs = _large(air, spacing)
    # Each piece is closed alone, so that the two do not grow together in front of the heart.
    pieces = cc3d.connected_components(lungs, connectivity=6)
    for label in range(1, int(pieces.max()) + 1):
        lungs |= _closed(pieces == label, spacing)
    return lungs


def _spread(mask: NDArray[np.bool_], steps: Sequence[int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask of a coarse grid on the fine one, block by block."""
    for axis, step in enumerate(steps):
        mask = np.repeat(mask, step, axis=axis)
    # The grid's last block may be incomplete, or lack.
    mask = np.pad(mask, [(0, max(0, n - has)) for n, has in zip(shape, mask.shape, strict=True)], mode="edge")
    return mask[tuple(slice(n) for n in shape)]


def _inside(air: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Air that does not reach the sides of the image, slice by slice: the body lies around it."""
    found = np.zeros_like(air)
    for z in range(air.shape[2]):
        pieces = cc3d.connected_components(air[:, :, z], connectivity=4)
        edge = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
        found[:, :, z] = air[:, :, z] & ~np.isin(pieces, np.unique(edge))
    return found


def _airways(
    hounsfield: NDArray[np.float32], air: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """The windpipe and what hangs on it: very dark, and too narrow for a ball that fits into a lung."""
    if not air.any():
        return air
    wide = _within(distance_transform_edt(air, sampling=spacing) > AIRWAY_MM, AIRWAY_MM, spacing)
    pieces = cc3d.connected_components(air & (hounsfield < AIRWAY_HU) & ~wide, connectivity=6)
    volumes = _volumes_ml(pieces, spacing)
    # It comes in from above, and holds some millilitres.
    top = np.unique(pieces[:, :, _top(air) :])
    chosen = [int(label) for label in top if label and 3 <= volumes[label] <= 150]
    # Its wall is no lung either.
    return _within(np.isin(pieces, chosen), max(spacing), spacing) if chosen else np.zeros_like(air)


def _top(air: NDArray[np.bool_]) -> int:
    """The first slice of the upper fifth of what is filled with air."""
    filled = np.flatnonzero(air.any(axis=(0, 1)))
    return int(filled[-1] - (filled[-1] - filled[0]) // 5)


def _large(air: NDArray[np.bool_], spacing: tuple[float, float, float]) -> NDArray[np.bool_]:
    pieces = cc3d.connected_components(air, connectivity=6)
    volumes = _volumes_ml(pieces, spacing)
    largest = np.argsort(volumes)[::-1][:2]
    return np.isin(pieces, [int(label) for label in largest if volumes[label] >= SMALLEST_ML])


def _volumes_ml(pieces: NDArray[np.integer], spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    volumes = np.bincount(pieces.ravel()) * float(np.prod(spacing)) / 1000
    volumes[0] = 0
    return volumes


def _within(
    mask: NDArray[np.bool_], distance_mm: float, spacing: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """What lies no farther than that from a mask."""
    if not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask, sampling=spacing) <= distance_mm)


def _closed(piece: NDArray[np.bool_], spacing: tuple[float, float, float]) -> NDArray[np.bool_]:
    margin = int(VESSEL_MM / min(spacing)) + 2
    grown = _within(np.pad(piece, margin), VESSEL_MM, spacing)
    shrunk = distance_transform_edt(grown, sampling=spacing) > VESSEL_MM
    return np.asarray(shrunk[(slice(margin, -margin),) * 3])


def density_facts(
    hounsfield: NDArray[np.float32], lungs: NDArray[np.bool_], voxel_ml: float
) -> dict[str, float]:
    """`lung_ml`, `laa950_percent`, `mean_hu`, and `perc15_hu`, the 15th percentile."""
    values = hounsfield[lungs]
    if values.size == 0:
        return {"lung_ml": 0.0}
    return {
        "lung_ml": values.size * voxel_ml,
        "laa950_percent": 100 * float((values < LOW_HU).mean()),
        "mean_hu": float(values.mean(dtype=np.float64)),
        "perc15_hu": float(np.percentile(values, 15)),
    }


def low_density_map(
    hounsfield: NDArray[np.float32], lungs: NDArray[np.bool_], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Share of the lung around each voxel that is darker than -950 HU, in percent; 0 outside the lungs."""
    size = [max(1, round(MAP_MM / one)) for one in spacing]
    low = uniform_filter((lungs & (hounsfield < LOW_HU)).astype(np.float32), size, mode="constant")
    all_lung = uniform_filter(lungs.astype(np.float32), size, mode="constant")
    share = np.divide(low, all_lung, out=np.zeros_like(low), where=lungs & (all_lung > 0))
    return np.asarray(100 * np.clip(share, 0, 1), dtype=np.float32)
