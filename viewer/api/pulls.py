"""`/api/pulls`: fetch studies from an archive, and see how that goes.

What is asked for names patients: it comes in a body, never in a URL, and is never given out again.
"""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.pull import PullState, StudyQuery
from viewer.access import Person, Role, requires
from viewer.api.schemas import ProblemOut
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.domain.pull import Pull
    from dicom_node.ports.operation import AuditLog
    from dicom_node.ports.pulls import Pulls

PullId = Annotated[str, Path(description="id of the pull", max_length=64)]
Operator = Annotated[Person, requires(Role.OPERATOR)]
_PROBLEM: dict[str, Any] = {"model": ProblemOut}


class PullIn(BaseModel):
    """What to fetch; everything that is given must match, and something must be."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(
        description="name of a configured archive (dicomweb.sources, or dimse.peers with `retrieve`)",
        max_length=64,
    )
    study_instance_uid: str | None = Field(default=None, description="the archive's own", max_length=64)
    accession_number: str | None = Field(default=None, max_length=64)
    patient_id: str | None = Field(default=None, max_length=64)
    since: date | None = Field(default=None, description="first Study Date")
    until: date | None = Field(default=None, description="last Study Date")
    modality: str | None = Field(default=None, description="of any series in the study", max_length=16)


class PullOut(BaseModel):
    """How a pull stands."""

    id: str
    source: str
    state: PullState
    expected: int | None = Field(description="instances that the archive counts; null until it was asked")
    received: int = Field(description="instances that are safe in the node")
    failed: int = Field(description="instances that did not come, or were refused")
    studies: list[str] = Field(description="the node's ids of the studies that came in")
    reason: str | None
    created_at: datetime
    updated_at: datetime


class PullPage(BaseModel):
    """Pulls, newest first, and where studies can be fetched from."""

    sources: list[str]
    pulls: list[PullOut]


def create_router(pulls: Pulls, audit: AuditLog) -> APIRouter:
    """Routes below `/api/pulls`; the role `operator` is needed for all of them."""
    router = APIRouter(prefix="/api/pulls", tags=["pulls"], route_class=ProblemRoute)

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        responses={400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM},
    )
    def request(wanted: PullIn, response: Response, person: Operator) -> PullOut:
        """Fetch studies; the answer comes once the request is durable, not once they are here."""
        query = StudyQuery(**wanted.model_dump(exclude={"source"}))
        pull_id = pulls.request_query(wanted.source, query)
        audit.record("pull.asked_for", pull_id=pull_id, person=person.name)
        response.headers["Location"] = f"/api/pulls/{pull_id}"
        return _out(pulls.state(pull_id))

    @router.get("", responses={403: _PROBLEM})
    def newest(
        person: Operator,  # noqa: ARG001 (the role is the point)
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> PullPage:
        """List pulls, newest first."""
        return PullPage(sources=list(pulls.sources), pulls=[_out(pull) for pull in pulls.newest(limit)])

    @router.get("/{pull_id}", responses={403: _PROBLEM, 404: _PROBLEM})
    def state(
        pull_id: PullId,
        person: Operator,  # noqa: ARG001 (the role is the point)
    ) -> PullOut:
        """Show one pull."""
        return _out(pulls.state(pull_id))

    @router.post("/{pull_id}/cancel", responses={403: _PROBLEM, 404: _PROBLEM})
    def cancel(pull_id: PullId, person: Operator) -> PullOut:
        """End a pull; what has arrived stays, and is processed."""
        pull = pulls.cancel(pull_id)
        audit.record("pull.cancelled", pull_id=pull_id, person=person.name)
        return _out(pull)

    return router


def _out(pull: Pull) -> PullOut:
    return PullOut(
        id=pull.id,
        source=pull.source,
        state=pull.state,
        expected=pull.expected,
        received=pull.received,
        failed=pull.failed,
        studies=list(pull.study_ids),
        reason=pull.reason,
        created_at=pull.created_at,
        updated_at=pull.updated_at,
    )
