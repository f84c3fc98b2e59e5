"""Routes of the dashboard: the list of studies, one study, and their fragments for live updates."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request

from dicom_node.domain.errors import NotFound
from dicom_node.domain.study import StudyState
from viewer.dashboard import ledger_words, presentation
from viewer.dashboard.fragments import unless_known

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse, Response

    from dicom_node.domain.study import StudyRecord
    from dicom_node.ports.ledger import Ledger
    from dicom_node.ports.quarantine import Review
    from dicom_node.ports.studies import StudyIndex
    from viewer.dashboard.presentation import Describe
    from viewer.dashboard.render import Renderer

_PAGE = 25

State = Annotated[StudyState | None, Query()]
Cursor = Annotated[str | None, Query(max_length=256)]


def create_router(
    index: StudyIndex, review: Review, render: Renderer, describe: Describe, ledger: Ledger | None = None
) -> APIRouter:
    """Routes of the pages; they show what the index knows, nothing else.

    Parameters
    ----------
    describe
        The description of a result series by Study and Series Instance UID, or `None`.
    ledger
        What a study's page counts; without it, it counts nothing.
    """
    router = APIRouter(include_in_schema=False)
    pages = _Pages(index, review, render, describe, ledger)

    @router.get("/")
    def home(request: Request, state: State = None, cursor: Cursor = None) -> HTMLResponse:
        return pages.studies("studies.html", request, state, cursor)

    @router.get("/fragments/studies")
    def studies_fragment(request: Request, state: State = None, cursor: Cursor = None) -> Response:
        return unless_known(request, pages.studies("studies_live.html", request, state, cursor))

    @router.get("/studies/{study_id}")
    def study_page(study_id: str) -> HTMLResponse:
        return pages.study("study.html", study_id)

    @router.get("/fragments/studies/{study_id}")
    def study_fragment(request: Request, study_id: str) -> Response:
        return unless_known(request, pages.study("study_live.html", study_id))

    return router


class _Pages:
    """Reads the index and fills templates."""

    def __init__(
        self,
        index: StudyIndex,
        review: Review,
        render: Renderer,
        describe: Describe,
        ledger: Ledger | None,
    ) -> None:
        self._index = index
        self._review = review
        self._render = render
        self._describe = describe
        self._ledger = ledger

    def _series_of(self, study: StudyRecord) -> list[presentation.ResultSeries]:
        return presentation.result_series(study, self._describe)

    def studies(
        self, template: str, request: Request, state: StudyState | None, cursor: str | None
    ) -> HTMLResponse:
        try:
            studies, following = self._index.studies(state=state, limit=_PAGE, cursor=cursor)
        except ValueError:  # a cursor of another node, or of an older one
            return self._unknown()
        counts = self._index.count_by_state()
        return self._render(
            template,
            studies=studies,
            held=self._review.count_held([study.id for study in studies]),
            counts={each: counts.get(each, 0) for each in StudyState},
            total=sum(counts.values()),
            state=state,
            cursor=cursor,
            next_cursor=following,
            moving=presentation.moving(studies),
            base_url=str(request.base_url).rstrip("/"),
            show=presentation,
            series_of=self._series_of,
        )

    def study(self, template: str, study_id: str) -> HTMLResponse:
        try:
            study = self._index.study(study_id)
        except NotFound:
            return self._unknown()
        return self._render(
            template,
            study=study,
            held=self._review.count_held([study_id]).get(study_id, 0),
            routing=self._index.routing(study_id, study.version),
            ledger=None if self._ledger is None else self._ledger.summary(study_id),
            ledger_words=ledger_words,
            moving=presentation.moving([study]),
            show=presentation,
            series_of=self._series_of,
        )

    def _unknown(self) -> HTMLResponse:
        return self._render("unknown.html", status_code=HTTPStatus.NOT_FOUND)
