"""Figures of a segmenter: how two masks lie over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

from inference.evaluation.agreement import agreement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def compare(
    found: NDArray[np.bool_], reference: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> dict[str, float | None]:
    """Dice, IoU, Hausdorff distances and volumes of one segment of one case.

    Where both masks are empty they agree: Dice and IoU are 1. Where one is, there is no distance.

    Parameters
    ----------
    found, reference
        Of one shape, (rows, columns) or (slices, rows, columns).
    spacing_mm
        Along each axis.

    References
    ----------
    Taha and Hanbury, Metrics for evaluating 3D medical image segmentation, BMC Med Imaging 2015
    """
    both, either = int((found & reference).sum()), int((found | reference).sum())
    sizes = int(found.sum()) + int(reference.sum())
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    distances = surface_distances(found, reference, spacing_mm)
    return {
        "dice": 2 * both / sizes if sizes else 1.0,
        "iou": both / either if either else 1.0,
        "hausdorff_mm": float(distances.max()) if distances.size else None,
        "hausdorff_95_mm": float(np.percentile(distances, 95)) if distances.size else None,
        "volume_ml": int(found.sum()) * voxel_ml,
        "reference_volume_ml": int(reference.sum()) * voxel_ml,
    }


def surface_distances(
    found: NDArray[np.bool_], reference: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> NDArray[np.float64]:
    """From each surface voxel of either mask to the nearest of the other, mm; empty where a mask is."""
    if not found.any() or not reference.any():
        return np.zeros(0)
    surfaces = [mask & ~binary_erosion(mask, border_value=0) for mask in (found, reference)]
    one, other = (distance_transform_edt(~surface, sampling=spacing_mm) for surface in surfaces)
    return np.concatenate([other[surfaces[0]], one[surfaces[1]]])


def summarise(rows: Sequence[dict[str, float | None]]) -> dict[str, Any]:
    """Mean, median, worst and 95 % range of the figures of all cases of a segment."""
    summary: dict[str, Any] = {"cases": len(rows)}
    for name in ("dice", "iou", "hausdorff_95_mm", "hausdorff_mm"):
        values = np.array([row[name] for row in rows if row[name] is not None], dtype=np.float64)
        if not values.size:
            summary[name] = None
            continue
        worst = values.max() if name.endswith("_mm") else values.min()
        low, high = np.percentile(values, [2.5, 97.5])
        summary[name] = {
            "mean": round(float(values.mean()), 4),
            "median": round(float(np.median(values)), 4),
            "worst": round(float(worst), 4),
            "range_95": [round(float(low), 4), round(float(high), 4)],
            "cases": int(values.size),
        }
    volumes = [(row["volume_ml"] or 0.0, row["reference_volume_ml"] or 0.0) for row in rows]
    summary["volume_ml"] = {
        name: value if value is None or name == "cases" else round(value, 4)
        for name, value in agreement(volumes).items()
    }
    return summary
