"""Numbers that are taken of a model's output, for gates, measurements and the label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from inference.gates.measure import measure_mask
from inference.tasks.verdict import abnormal_probability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import ModelInput, ModelOutput


def output_facts(manifest: ModelManifest, given: ModelInput, output: ModelOutput) -> dict[str, float]:
    """All facts of an output; the model's own win.

    Of masks `mask_fraction` (share of all voxels), those of `measure_mask`, and by segment
    `segment_<n>_volume_ml` and `segment_<n>_mean_value`; of classes `p_<class>` and `p_abnormal`; of boxes
    `detections`, `detections_<name>` and `max_score`; and `confidence`.
    """
    facts: dict[str, float] = {}
    if output.mask is not None:
        # What an image without a place in the patient has in place of a volume.
        facts["mask_fraction"] = float((output.mask > 0).mean())
    if output.mask is not None and given.affine is not None:
        facts |= measure_mask(given.voxels, output.mask, given.affine)
        facts |= _segments(manifest, given.voxels, output.mask, given.affine)
    if manifest.classification is not None:
        facts |= {f"p_{name}": p for name, p in output.classes.items()}
        p = np.array([output.classes[one.name] for one in manifest.classification.classes])
        facts["p_abnormal"] = float(abnormal_probability(manifest.classification, p))
    if manifest.detections:
        found = Counter(box.name for box in output.detections)
        facts |= {f"detections_{one.name}": float(found[one.name]) for one in manifest.detections}
        facts["detections"] = float(len(output.detections))
        facts["max_score"] = max((box.score for box in output.detections), default=0.0)
    facts["confidence"] = float(output.confidence)
    return facts | {name: float(value) for name, value in output.facts.items()}


def segment_facts(facts: Mapping[str, float], number: int) -> dict[str, float]:
    """The facts of one segment under the names that those of all have, and all others."""
    prefix = f"segment_{number}_"
    own = {name.removeprefix(prefix): value for name, value in facts.items() if name.startswith(prefix)}
    return {**facts, **own}


def _segments(
    manifest: ModelManifest,
    voxels: NDArray[np.float32],
    mask: NDArray[np.uint8],
    affine: NDArray[np.float64],
) -> dict[str, float]:
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    size = max((segment.number for segment in manifest.segments), default=0) + 1
    counts, sums = np.zeros(size, np.int64), np.zeros(size)
    # Slice by slice: the whole of a large volume, widened to 64 bits, would be gigabytes.
    for values, named in zip(voxels, mask, strict=True):
        drawn = named > 0
        counts += np.bincount(named[drawn], minlength=size)
        sums += np.bincount(named[drawn], weights=values[drawn], minlength=size)
    facts = {}
    for segment in manifest.segments:
        count = int(counts[segment.number])
        facts[f"segment_{segment.number}_volume_ml"] = count * voxel_ml
        if count:
            facts[f"segment_{segment.number}_mean_value"] = float(sums[segment.number]) / count
    return facts
