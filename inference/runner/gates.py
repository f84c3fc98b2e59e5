"""All that may refuse a run, in the order in which it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason
from inference.gates.agreement import check_agreement
from inference.gates.limits import check_confidence, check_limits
from inference.gates.measure import measure_volume
from inference.gates.pixels import measure_pixels
from inference.gates.source import check_images, check_volume

if TYPE_CHECKING:
    from inference.contract.package import ModelManifest
    from inference.runner.answer import ModelAnswer
    from inference.runner.source import RunInput


def before(manifest: ModelManifest, given: RunInput, subject: str) -> tuple[Reason, ...]:
    """What the decoded images must be; what was left out while reading them stands there too."""
    notes = tuple(Reason(subject, "volume.note", True, note) for note in given.notes)
    if given.volume is not None:
        return notes + check_volume(manifest, measure_volume(given.volume), subject)
    return notes + check_images(manifest, measure_pixels(given.voxels), subject)


def after(manifest: ModelManifest, answer: ModelAnswer, min_confidence: float) -> tuple[Reason, ...]:
    """What the model's output must be: plausible, agreeing with itself, sure enough.

    Parameters
    ----------
    min_confidence
        Of the node; a manifest may ask for more.
    """
    reasons = list(check_limits(manifest.gates_after, answer.facts, manifest.name))
    if manifest.classification is not None and manifest.classification.min_agreement > 0:
        reasons.append(check_agreement(manifest.classification, answer.facts, manifest.name))
    least = max(min_confidence, manifest.min_confidence)
    reasons.append(check_confidence(answer.confidence, least, manifest.name))
    return tuple(reasons)
