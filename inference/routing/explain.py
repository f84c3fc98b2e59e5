"""A routing decision as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.run import RoutingDecision


def explain(decision: RoutingDecision) -> str:
    """Every reason by subject (a pseudonymous series UID or a model), then what was decided."""
    lines = [
        f"modalities  {', '.join(decision.modalities) or 'none'}",
        f"body part   {decision.body_part or 'unknown'}",
    ]
    subjects = dict.fromkeys(reason.subject for reason in decision.reasons)
    for subject in subjects:
        lines += ["", subject]
        lines += [
            f"  {'yes' if reason.passed else 'NO '}  {reason.rule}: {reason.text}"
            for reason in decision.reasons
            if reason.subject == subject
        ]
    lines.append("")
    lines += [
        f"-> {a.model} {a.model_version} on {a.series_instance_uid} (rule {a.route})"
        for a in decision.assignments
    ] or [f"-> no model: {decision.rejection}"]
    return "\n".join(lines)
