"""Gates before the model: whether this is what it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.contract import GateLimit
from inference.gates.limits import check_limits
from inference.routing.eligibility import check_input

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicom_node.domain.run import Reason
    from inference.contract import ModelManifest
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts


def check_source(manifest: ModelManifest, series: SeriesFacts, table: BodyPartTable) -> tuple[Reason, ...]:
    """The router's requirements again: a run may be started without it, or after the study grew."""
    return check_input(manifest.input, series, table, manifest.name)


def check_volume(manifest: ModelManifest, facts: Mapping[str, float], subject: str) -> tuple[Reason, ...]:
    """What the decoded volume must be: large enough, fine enough, and an image at all.

    Parameters
    ----------
    facts
        Of `inference.gates.measure.measure_volume`.
    """
    low, high = manifest.input.spacing_mm
    limits = (
        GateLimit("coverage_mm", "smallest extent of the volume, mm", manifest.input.min_coverage_mm, None),
        GateLimit("finest_spacing_mm", "smallest distance of voxels, mm", low, None),
        GateLimit("coarsest_spacing_mm", "largest distance of voxels, mm", None, high),
        *manifest.gates_before,
    )
    return check_limits(limits, facts, subject)
