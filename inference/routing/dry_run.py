"""What the rules would do with a folder of files, study by study: nothing runs, nothing is stored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dicom_node.domain.run import Assignment, Reason, RoutingDecision
from inference.routing.explain import explain
from inference.routing.folder import read_studies
from inference.routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from inference.registry import ModelRegistry
    from inference.routing.rule import Route


@dataclass(frozen=True, slots=True)
class StudyDecision:
    """What would become of one study."""

    study_instance_uid: str
    images: int
    series: int
    stat: bool
    decision: RoutingDecision

    def as_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        return {
            "study_instance_uid": self.study_instance_uid,
            "images": self.images,
            "series": self.series,
            "stat": self.stat,
            **asdict(self.decision),
            "rejection": self.decision.rejection,
        }


def dry_run(registry: ModelRegistry, routes: Sequence[Route], folder: Path) -> tuple[StudyDecision, ...]:
    """Route every study below a folder.

    Raises
    ------
    InferenceFailed
        If the folder holds no DICOM files.
    """
    router = Router(registry, routes)
    return tuple(
        StudyDecision(
            study_instance_uid=study.study_instance_uid,
            images=len(study.instances),
            series=len({entry.series_instance_uid for entry in study.instances}),
            stat=router.would_be_stat(study),
            decision=router.route(study),
        )
        for study in read_studies(folder)
    )


def as_text(decisions: Sequence[StudyDecision]) -> str:
    """Each study with every reason, then a table of what goes where."""
    parts = [
        f"study {d.study_instance_uid}{'  (stat)' if d.stat else ''}\n{explain(d.decision)}"
        for d in decisions
    ]
    rows = [("models", "series", "images", "body part", "modality", "study")]
    for d in decisions:
        models = ", ".join(dict.fromkeys(a.model for a in d.decision.assignments)) or "-"
        what = "/".join(d.decision.modalities) or "?"
        rows.append(
            (models, str(d.series), str(d.images), d.decision.body_part or "?", what, d.study_instance_uid)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    taken = sum(bool(d.decision.assignments) for d in decisions)
    return "\n\n".join([*parts, "\n".join(table), f"{taken} of {len(decisions)} studies go to a model"])


def decision_of(raw: Mapping[str, Any]) -> RoutingDecision:
    """The decision that `/api/studies/{id}/routing` shows."""
    return RoutingDecision(
        assignments=tuple(
            Assignment(
                a["model"],
                a["model_version"],
                a["series_instance_uid"],
                a["route"],
                needs=tuple(a.get("needs", ())),
            )
            for a in raw["assignments"]
        ),
        reasons=tuple(Reason(r["subject"], r["rule"], r["passed"], r["text"]) for r in raw["reasons"]),
        modalities=tuple(raw["modalities"]),
        body_part=raw["body_part"],
    )
