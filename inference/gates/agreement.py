"""Whether the slices of a series say the same."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.contract.outputs import ClassificationOutput


def check_agreement(output: ClassificationOutput, facts: Mapping[str, float], subject: str) -> Reason:
    """Whether enough slices say the same as the whole; where that was not measured, they do not.

    Parameters
    ----------
    facts
        Of the model's output; `agreement` is the share of such slices.
    """
    share = facts.get("agreement", 0.0)
    agrees = isfinite(share) and share >= output.min_agreement
    text = f"{share:.0%} of the slices say the same as the series, at least {output.min_agreement:.0%} must"
    if not agrees:
        text = f"the slices contradict each other: {text}; look at the slices yourself"
    return Reason(subject, "gate.agreement", agrees, text, None if agrees else RejectionKind.DISAGREEMENT)
