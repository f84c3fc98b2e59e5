"""Whether a validator model takes an image for one that the model was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.contract import Validator


def check_validator(validator: Validator, probabilities: Mapping[str, float], subject: str) -> Reason:
    """Probability of the accepted classes together, against what the manifest asks for."""
    together = sum(probabilities.get(name, 0.0) for name in validator.accept)
    passed = together >= validator.min_probability
    likeliest = max(probabilities, key=lambda name: probabilities[name], default="nothing")
    text = (
        f"{validator.model} gives {together:.3f} to {', '.join(validator.accept)}, at least"
        f" {validator.min_probability:.3f} is asked for (likeliest: {likeliest})"
    )
    return Reason(
        subject, "gate.validator", passed, text, None if passed else RejectionKind.OUT_OF_DISTRIBUTION
    )
