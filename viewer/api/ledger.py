"""`/api/studies/{id}/ledger`: what became of each instance and each object; `/api/refusals`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from viewer.api.ledger_schemas import (
    InstanceEntryOut,
    LedgerPage,
    LedgerSummaryOut,
    MadeResultOut,
    RefusalCountOut,
    RefusalPage,
    ResultPage,
)
from viewer.api.studies import NOT_FOUND, StudyId
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.ports.ledger import Ledger

Limit = Annotated[int, Query(ge=1, le=10_000)]
Cursor = Annotated[str | None, Query(max_length=256)]


def create_router(ledger: Ledger) -> APIRouter:
    """Routes below `/api`."""
    router = APIRouter(prefix="/api", tags=["ledger"], route_class=ProblemRoute)

    @router.get("/studies/{study_id}/ledger", responses=NOT_FOUND)
    def get_ledger(study_id: StudyId, limit: Limit = 1000, cursor: Cursor = None) -> LedgerPage:
        """Get what became of a study: counts that add up, and each instance that came in."""
        summary = ledger.summary(study_id)
        found, following = ledger.instances(study_id, limit=limit, cursor=cursor)
        return LedgerPage(
            summary=LedgerSummaryOut.model_validate(summary),
            instances=[InstanceEntryOut.model_validate(entry) for entry in found],
            next_cursor=following,
        )

    @router.get("/studies/{study_id}/ledger/results", responses=NOT_FOUND)
    def get_made_results(study_id: StudyId, limit: Limit = 1000, cursor: Cursor = None) -> ResultPage:
        """Get each object that was made of a study: by which model, what the gate said, where it is."""
        ledger.summary(study_id)
        found, following = ledger.results(study_id, limit=limit, cursor=cursor)
        return ResultPage(
            results=[MadeResultOut.model_validate(entry) for entry in found], next_cursor=following
        )

    @router.get("/refusals")
    def list_refusals(limit: Limit = 1000) -> RefusalPage:
        """List how many instances were refused, by sender and reason, the latest first."""
        return RefusalPage(refusals=[RefusalCountOut.model_validate(each) for each in ledger.refusals(limit)])

    return router
