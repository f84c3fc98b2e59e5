"""Whether the slices of a series say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.run import Reason, RejectionKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.contract import ClassificationOutput


def check_agreement(output: ClassificationOutput, facts: Mapping[str, float], subject: str) -> Reason:
    """Share of slices that say the same as the whole, against what the manifest asks for."""
    share = facts.get("agreement", 0.0)
    text = f"{share:.0%} of the slices say the same as the series, at least {output.min_agreement:.0%} must"
    agrees = share >= output.min_agreement
    return Reason(subject, "gate.agreement", agrees, text, None if agrees else RejectionKind.DISAGREEMENT)
