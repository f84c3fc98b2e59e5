"""`/api/reconciliation`: what did not fit when everything was compared last."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.errors import NotFound
from dicom_node.domain.reconciliation import DiscrepancyKind
from viewer.api.studies import NOT_FOUND
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.ports.reconciliation import ReconciliationIndex


class DiscrepancyOut(BaseModel):
    """One thing that does not fit."""

    model_config = ConfigDict(from_attributes=True)

    kind: DiscrepancyKind
    study_id: Annotated[str, Field(description="empty where it is about no study")]
    subject: Annotated[str, Field(description="a file's reference, a slot, a pseudonymous UID or a name")]
    text: Annotated[str, Field(description="what to do")]
    repaired: bool


class ReconciliationOut(BaseModel):
    """One look at everything."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    started_at: datetime
    ended_at: datetime
    deep: Annotated[bool, Field(description="whether all bytes were read and verified")]
    repair: bool
    clean: bool
    studies: int
    blobs: Annotated[int, Field(description="files that were looked at")]
    counts: Annotated[dict[str, int], Field(description="by kind, without what was repaired")]
    discrepancies: Annotated[list[DiscrepancyOut], Field(description="the first thousand")]


def create_router(index: ReconciliationIndex) -> APIRouter:
    """Routes below `/api`."""
    router = APIRouter(prefix="/api", tags=["ledger"], route_class=ProblemRoute)

    @router.get("/reconciliation", responses=NOT_FOUND)
    def get_reconciliation() -> ReconciliationOut:
        """Get the last report; `dicom-node reconcile` makes a new one."""
        report = index.latest()
        if report is None:
            raise NotFound("nothing has been compared yet; run `dicom-node reconcile`")
        return ReconciliationOut.model_validate(report)

    return router
