"""`/api/quarantine`: what was kept back, a look at it, and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from dicom_node.domain.quarantine import QuarantineState
from viewer.access import Person, Role, requires
from viewer.api.quarantine_schemas import DeleteIn, QuarantinedOut, QuarantinePage, ReleaseIn
from viewer.api.schemas import ProblemOut
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from dicom_node.ports.quarantine import Review

ItemId = Annotated[str, Path(description="the node's own id of the instance in quarantine", max_length=64)]
Reviewer = Annotated[Person, requires(Role.REVIEWER)]
State = Annotated[QuarantineState | None, Query()]
_PROBLEM: dict[str, Any] = {"model": ProblemOut}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: _PROBLEM}
_LOOK: dict[int | str, dict[str, Any]] = {403: _PROBLEM, 404: _PROBLEM, 410: _PROBLEM}
_DECIDE: dict[int | str, dict[str, Any]] = {**_LOOK, 409: _PROBLEM, 503: _PROBLEM}
#: Originals are identity: nobody keeps them on the way, and no other site may embed them.
_IDENTITY = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}


def create_router(review: Review) -> APIRouter:
    """Routes below `/api`."""
    router = APIRouter(prefix="/api", tags=["quarantine"], route_class=ProblemRoute)

    @router.get("/quarantine", responses={404: _PROBLEM})
    def list_quarantined(
        study: Annotated[
            str | None, Query(max_length=64, description="only of this study, by its id")
        ] = None,
        state: State = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=256)] = None,
    ) -> QuarantinePage:
        """List what de-identification kept back, newest first."""
        items, following = review.page(study_id=study, state=state, limit=limit, cursor=cursor)
        return QuarantinePage(quarantined=[QuarantinedOut.of(item) for item in items], next_cursor=following)

    @router.get("/quarantine/{item_id}", responses=_NOT_FOUND)
    def get_quarantined(item_id: ItemId) -> QuarantinedOut:
        """Get one: the rule, the reason, and what was decided."""
        return QuarantinedOut.of(review.get(item_id))

    @router.get("/quarantine/{item_id}/preview", response_class=Response, responses=_LOOK | _png())
    def preview(
        item_id: ItemId,
        person: Reviewer,
        frame: Annotated[int, Query(ge=1, description="counts from 1")] = 1,
        all_values: Annotated[
            bool, Query(description="show all grey values, whatever window the instance names")
        ] = False,
    ) -> Response:
        """Look at a frame with its original pixels. Identity; needs the role `reviewer`; audited."""
        picture = review.preview(item_id, frame, person.name, all_values=all_values)
        headers = {**_IDENTITY, "X-Frame-Count": str(picture.frames)}
        return Response(picture.png, headers=headers, media_type="image/png")

    @router.get("/quarantine/{item_id}/content", response_class=Response, responses=_LOOK | _part10())
    def content(item_id: ItemId, person: Reviewer) -> Response:
        """Download the original as DICOM. Identity; needs the role `reviewer`; audited."""
        data = review.content(item_id, person.name)
        headers = {**_IDENTITY, "Content-Disposition": f'attachment; filename="{review.get(item_id).id}.dcm"'}
        return Response(data, headers=headers, media_type="application/dicom")

    @router.post("/quarantine/{item_id}/release", responses=_DECIDE)
    def release(item_id: ItemId, decision: ReleaseIn, person: Reviewer) -> QuarantinedOut:
        """Vouch for the rule that it failed: it goes into its study's next version, as late instances do.

        Only this rule is waived, for exactly these bytes; every other check is made again. Rules about
        headers and structure cannot be waived (409). Needs the role `reviewer`; audited; may be repeated.
        """
        return QuarantinedOut.of(review.release(item_id, decision.known, person.name))

    @router.post("/quarantine/{item_id}/delete", responses=_DECIDE)
    def delete(item_id: ItemId, decision: DeleteIn, person: Reviewer) -> QuarantinedOut:
        """Destroy its key and its bytes for good, in the spool too; the receipt is in the audit log.

        Needs the role `reviewer`; may be repeated.
        """
        return QuarantinedOut.of(review.delete(item_id, decision.known, person.name))

    return router


def _png() -> dict[int | str, dict[str, Any]]:
    headers = {"X-Frame-Count": {"description": "how many frames there are", "schema": {"type": "integer"}}}
    return {200: {"content": {"image/png": {}}, "headers": headers, "description": "the frame"}}


def _part10() -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/dicom": {}}, "description": "the instance as received"}}
