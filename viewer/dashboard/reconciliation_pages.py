"""The page of the last reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from dicom_node.ports.reconciliation import ReconciliationIndex
    from viewer.dashboard.render import Renderer


def create_router(index: ReconciliationIndex, render: Renderer) -> APIRouter:
    """The route of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/reconciliation", response_class=HTMLResponse)
    def reconciliation() -> HTMLResponse:
        return render("reconciliation.html", report=index.latest())

    return router
