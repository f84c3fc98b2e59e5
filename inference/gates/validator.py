"""Whether a validator model takes an image for one that the model was made for."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.contract.inputs import Validator


def check_validator(validator: Validator, probabilities: Mapping[str, float], subject: str) -> Reason:
    """Probability of the accepted classes together, against what the manifest asks for.

    Parameters
    ----------
    probabilities
        By the validator's names of classes; empty or odd ones do not pass.
    """
    together = sum(probabilities.get(name, 0.0) for name in validator.accept)
    passed = isfinite(together) and together >= validator.min_probability
    accepted = " or ".join(name.replace("_", " ") for name in validator.accept)
    text = (
        f"{validator.model} takes the image for {accepted} with probability {together:.2f}, at least"
        f" {validator.min_probability:.2f} is asked for"
    )
    if not passed:
        likeliest = max(probabilities, key=lambda name: probabilities[name], default="nothing it knows")
        text = f"{text}; it looks like {likeliest.replace('_', ' ')}: check whether this is the right series"
    return Reason(
        subject, "gate.validator", passed, text, None if passed else RejectionKind.OUT_OF_DISTRIBUTION
    )
