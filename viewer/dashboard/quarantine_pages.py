"""Pages about de-identification: the quarantine, one instance in it, and a study's report."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from dicom_node.domain.errors import NotFound
from dicom_node.domain.quarantine import DeleteReason, QuarantineState, ReleaseReason

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse

    from dicom_node.ports.quarantine import Review
    from dicom_node.ports.studies import StudyIndex
    from viewer.dashboard.render import Renderer

_PAGE = 50


class Shown(StrEnum):
    """Which instances the list shows."""

    HELD = "held"
    RELEASED = "released"
    DELETED = "deleted"
    ALL = "all"

    @property
    def state(self) -> QuarantineState | None:
        """The state that it narrows the list to."""
        return None if self is Shown.ALL else QuarantineState(self.value)


Which = Annotated[Shown, Query()]
Study = Annotated[str | None, Query(max_length=64)]
Cursor = Annotated[str | None, Query(max_length=256)]
Version = Annotated[int | None, Query(ge=1)]


def create_router(index: StudyIndex, review: Review, render: Renderer) -> APIRouter:
    """Routes of the pages. They hold no identity: originals come from `/api/quarantine`, when asked for."""
    router = APIRouter(include_in_schema=False)

    @router.get("/quarantine")
    def quarantine(show: Which = Shown.HELD, study: Study = None, cursor: Cursor = None) -> HTMLResponse:
        try:
            items, following = review.page(study_id=study, state=show.state, limit=_PAGE, cursor=cursor)
        except NotFound:
            return _unknown(render)
        return render(
            "quarantine.html", items=items, next_cursor=following, show=show, choices=Shown, study_id=study
        )

    @router.get("/quarantine/{item_id}")
    def quarantined(item_id: str) -> HTMLResponse:
        try:
            item = review.get(item_id)
        except NotFound:
            return _unknown(render)
        return render(
            "quarantined.html", item=item, release_reasons=ReleaseReason, delete_reasons=DeleteReason
        )

    @router.get("/studies/{study_id}/deidentification")
    def deidentification(study_id: str, version: Version = None) -> HTMLResponse:
        try:
            study = index.study(study_id)
        except NotFound:
            return _unknown(render)
        wanted = version or study.version
        report = index.deidentification(study_id, wanted)
        held = review.count_held([study_id]).get(study_id, 0)
        return render("deidentification.html", study=study, version=wanted, report=report, held=held)

    return router


def _unknown(render: Renderer) -> HTMLResponse:
    return render("unknown.html", status_code=HTTPStatus.NOT_FOUND)
