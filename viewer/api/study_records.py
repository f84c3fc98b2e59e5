"""What is recorded about a version of a study: `/api/studies/{id}/deidentification` and `/routing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from dicom_node.domain.errors import NotFound
from viewer.api.schemas import DeidentificationOut, RoutingOut
from viewer.api.studies import NOT_FOUND, StudyId
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.ports.studies import StudyIndex

Version = Annotated[int | None, Query(ge=1, description="default: the current one")]


def create_router(index: StudyIndex) -> APIRouter:
    """Routes below `/api`."""
    router = APIRouter(prefix="/api", tags=["studies"], route_class=ProblemRoute)

    @router.get("/studies/{study_id}/deidentification", responses=NOT_FOUND)
    def get_deidentification(study_id: StudyId, version: Version = None) -> DeidentificationOut:
        """Get what de-identification did: actions by attribute and rule, pixel boxes, residual risks."""
        wanted = version or index.study(study_id).version
        report = index.deidentification(study_id, wanted)
        if report is None:
            raise NotFound(
                "this version of the study has not been de-identified (yet); ask again when it has"
            )
        return DeidentificationOut.of(study_id, wanted, report)

    @router.get("/studies/{study_id}/routing", responses=NOT_FOUND)
    def get_routing(study_id: StudyId, version: Version = None) -> RoutingOut:
        """Get the routing decision with every reason."""
        wanted = version or index.study(study_id).version
        decision = index.routing(study_id, wanted)
        if decision is None:
            raise NotFound("this version of the study has not been routed (yet); ask again when it has")
        return RoutingOut.of(study_id, wanted, decision)

    return router
