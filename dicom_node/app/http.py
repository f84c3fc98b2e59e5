"""The HTTP side put together: DICOMweb, viewer, dashboard, API, health and metrics under one origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from dicom_node.domain.errors import NodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.observability.metrics import PrometheusMetrics
    from dicomweb.app import DicomwebRouter


def create_http_app(
    *,
    dicomweb_router: DicomwebRouter,
    install_viewer: Callable[[FastAPI], None],
    metrics: PrometheusMetrics,
    readiness: Sequence[tuple[str, Callable[[], None]]],
    version: str,
    notes: Sequence[tuple[str, Callable[[], str | None]]] = (),
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    install_viewer
        Adds dashboard, REST API and OHIF.
    readiness
        (name, check) pairs; a check raises where its part is not ready.
    notes
        (name, note) pairs; a note says what people should know while the node still works.
    """
    app = FastAPI(
        title="DICOM Node",
        version=version,
        description="AI research node for radiology. Research use only, not for diagnosis.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )

    @app.get("/health/live", tags=["health"])
    def live() -> dict[str, str]:
        """Answer while the process runs."""
        return {"status": "live"}

    @app.get("/health/ready", tags=["health"], responses={503: {"description": "Some part is not ready"}})
    def ready() -> JSONResponse:
        """Answer 200 when every part can work, 503 otherwise, with each part's state and notes on them."""
        parts: dict[str, Any] = {}
        for name, check in readiness:
            try:
                check()
                parts[name] = "ready"
            except NodeError as exc:
                parts[name] = f"{exc.code}: {exc}"
        good = all(state == "ready" for state in parts.values())
        said = {name: text for name, note in notes if parts.get(name) == "ready" and (text := note())}
        return JSONResponse(
            {"status": "ready" if good else "not ready", "parts": parts, "notes": said},
            status_code=200 if good else 503,
        )

    @app.get("/metrics", tags=["health"])
    def exposition() -> Response:
        """Metrics in Prometheus's text format."""
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app.include_router(dicomweb_router, prefix="/dicom-web")
    app.include_router(dicomweb_router.uri)
    install_viewer(app)
    return app
