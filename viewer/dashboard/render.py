"""Renders pages from templates."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from viewer.dashboard import wording
from viewer.node_info import RESEARCH_USE, RESEARCH_USE_NOTICE, NodeInfo

#: Renders a template with a context; `status_code` is the HTTP status.
Renderer = Callable[..., HTMLResponse]


def create_renderer(node: NodeInfo) -> Renderer:
    """A renderer whose pages all know the node and the research-use notice."""
    environment = Environment(
        loader=PackageLoader("viewer.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        node=node,
        research_use=RESEARCH_USE,
        research_use_notice=RESEARCH_USE_NOTICE,
        static_version=_static_version(),
    )
    environment.filters.update(wording.FILTERS)

    def render(template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        text = environment.get_template(template).render(**context)
        return HTMLResponse(text, status_code, {"Cache-Control": "no-store"})

    return render


def _static_version() -> str:
    """Changes with the static files, so that browsers never mix old ones with new pages."""
    digest = sha256()
    for file in sorted(files("viewer.dashboard").joinpath("static").iterdir(), key=lambda f: f.name):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
