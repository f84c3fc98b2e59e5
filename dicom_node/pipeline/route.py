"""Route stage: which model works on which series."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dicom_node.pipeline.study_input import study_input

if TYPE_CHECKING:
    from dicom_node.domain.run import RoutingDecision
    from dicom_node.pipeline.services import Services


def route(services: Services, study_id: str, version: int) -> RoutingDecision:
    """Decide, and record the decision with every reason."""
    senders = frozenset(source.source for source in services.index.sources(study_id, version))
    study = replace(study_input(services, study_id, version), senders=senders)
    decision = services.router.route(study)
    services.index.set_routing(study_id, version, decision)
    services.audit.record(
        "study.routed",
        study_id=study_id,
        version=version,
        models=",".join(sorted({a.model for a in decision.assignments})),
    )
    return decision
