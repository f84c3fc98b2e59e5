"""The page on which a model is tried on one image. The image goes to `/predict` and `/heatmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse

    from dicom_node.ports.single_image import ImagePredictor
    from viewer.dashboard.render import Renderer


def create_router(predictor: ImagePredictor, render: Renderer) -> APIRouter:
    """The route `/try`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/try")
    def page() -> HTMLResponse:
        return render("try.html", models=predictor.models())

    return router
