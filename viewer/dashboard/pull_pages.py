"""The page about pulls: a form that asks for studies, and how what was asked for goes.

What is asked for names patients. The form sends it to `/api/pulls` in a body; no page shows it again, and it
stands in no URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from dicom_node.domain.pull import PULL_ENDED
from viewer.access import Role, requires
from viewer.dashboard.fragments import unless_known
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse, Response

    from dicom_node.ports.pulls import Pulls
    from viewer.dashboard.render import Renderer

_PAGE = 25


def create_router(pulls: Pulls, render: Renderer) -> APIRouter:
    """Routes of the page; the role `operator` is needed for them."""
    router = APIRouter(
        include_in_schema=False, dependencies=[requires(Role.OPERATOR)], route_class=ProblemRoute
    )

    def page(template: str) -> HTMLResponse:
        newest = pulls.newest(_PAGE)
        return render(
            template,
            sources=pulls.sources,
            pulls=newest,
            ended=PULL_ENDED,
            moving=any(pull.state not in PULL_ENDED for pull in newest),
        )

    @router.get("/pulls")
    def pulls_page() -> HTMLResponse:
        return page("pulls.html")

    @router.get("/fragments/pulls")
    def pulls_fragment(request: Request) -> Response:
        return unless_known(request, page("pulls_live.html"))

    return router
