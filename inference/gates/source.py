"""Gates before the model: whether this is what it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.run import RejectionKind
from inference.contract.inputs import GateLimit
from inference.gates.limits import check_limits
from inference.gates.quality import check_quality
from inference.gates.reference import check_reference, read_reference
from inference.routing.eligibility import check_input

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dicom_node.domain.run import Reason
    from inference.contract.package import ModelManifest
    from inference.routing.body_part import BodyPartTable
    from inference.routing.series import SeriesFacts

#: Facts of a place in the patient, which single images do not have.
_PLACED = frozenset({"coverage_mm", "finest_spacing_mm", "coarsest_spacing_mm", "tilt_deg"})


def check_source(manifest: ModelManifest, series: SeriesFacts, table: BodyPartTable) -> tuple[Reason, ...]:
    """The router's requirements again: a run may be started without it, or after the study grew."""
    return check_input(manifest.input, series, table, manifest.name)


def check_volume(manifest: ModelManifest, facts: Mapping[str, float], subject: str) -> tuple[Reason, ...]:
    """What the decoded volume must be: large enough, fine enough, an image at all, and of the right kind.

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
    )
    return check_limits(limits, facts, subject) + _pixels(manifest, facts, subject, placed=True)


def check_images(manifest: ModelManifest, facts: Mapping[str, float], subject: str) -> tuple[Reason, ...]:
    """As `check_volume`, of images without a place in the patient.

    Parameters
    ----------
    facts
        Of `inference.gates.pixels.measure_pixels`.
    """
    return _pixels(manifest, facts, subject, placed=False)


def _pixels(
    manifest: ModelManifest, facts: Mapping[str, float], subject: str, *, placed: bool
) -> tuple[Reason, ...]:
    limits = [one for one in manifest.gates_before if placed or one.fact not in _PLACED]
    # A model that takes CT beside others names its own limits.
    hounsfield = manifest.input.modalities == ("CT",)
    reasons = check_quality(
        facts, subject, hounsfield=placed and hounsfield, limited={one.fact for one in limits}
    )
    reasons += check_limits(limits, facts, subject, RejectionKind.OUT_OF_DISTRIBUTION)
    if manifest.reference is not None:
        reference = read_reference(manifest.folder / manifest.reference)
        reasons += (check_reference(reference, facts, subject),)
    return reasons
