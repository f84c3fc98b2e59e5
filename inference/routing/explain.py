"""A routing decision as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.domain.run import Reason, RoutingDecision


def explain(decision: RoutingDecision) -> str:
    """Each series with its facts, every condition with what was measured, then what was decided."""
    lines = [
        f"modalities  {', '.join(decision.modalities) or 'none'}",
        f"body part   {decision.body_part or 'unknown'}",
    ]
    for subject in dict.fromkeys(reason.subject for reason in decision.reasons):
        told = [reason for reason in decision.reasons if reason.subject == subject]
        facts = [reason.text for reason in told if reason.rule == "series"]
        lines += ["", f"{subject}{': ' if facts else ''}{''.join(facts)}"]
        lines += [_line(reason) for reason in told if reason.rule != "series"]
    lines.append("")
    lines += [
        f"-> {a.model} {a.model_version} on {a.series_instance_uid} (rule {a.route})"
        f"{', fed by ' + ', '.join(a.needs) if a.needs else ''}"
        for a in decision.assignments
    ] or [f"-> no model: {decision.rejection}"]
    return "\n".join(lines)


def _line(reason: Reason) -> str:
    return f"  {'yes' if reason.passed else 'NO '}  {reason.rule}: {reason.text}"
