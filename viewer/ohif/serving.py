"""Routes of OHIF under `/viewer/`: assets, generated configuration, and a page where it is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from mimetypes import guess_type
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from viewer.ohif.config import app_config
from viewer.ohif.install import how_to_add
from viewer.ohif.release import MOUNT, VERSION, find_ohif, is_installed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from viewer.dashboard.render import Renderer

#: Names that hold a hash of their content: they never change.
_HASHED = re.compile(r"(\.[0-9a-f]{16}\.js|^[0-9a-f]{16}\.\w+)$")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_MEDIA_TYPES = {".wasm": "application/wasm", ".js": "text/javascript", ".jsonc": "application/json"}
#: Kills service workers that another OHIF left behind at this origin; registers none.
_NO_SERVICE_WORKER = (
    "navigator.serviceWorker && navigator.serviceWorker.getRegistrations()"
    ".then(function (all) { all.forEach(function (one) { one.unregister(); }); });\n"
)


@dataclass(frozen=True, slots=True)
class Assets:
    """Where OHIF's files lie.

    Attributes
    ----------
    folder
        Given by the app; `None` looks at the standard places. Looked at for every page, so that a
        viewer which is added later needs no restart.
    find
        The search at the standard places.
    """

    folder: Path | None
    find: Callable[[], Path | None] = find_ohif

    def root(self) -> Path | None:
        """The folder, or `None` where OHIF is not installed."""
        if self.folder is not None and is_installed(self.folder):
            return self.folder
        return self.find()

    def asset(self, root: Path, path: str) -> Path | None:
        """The file of a URL path below the mount point, or `None`."""
        parts = path.split("/")
        if any(part in {"", ".", ".."} or part.startswith(".") or "\\" in part for part in parts):
            return None
        file = root.joinpath(*parts)
        return file if file.is_file() else None


def create_router(folder: Path | None, *, site: str, render: Renderer) -> APIRouter:
    """Routes of the viewer.

    Parameters
    ----------
    folder
        Where OHIF is installed, or `None` to look at the standard places.
    site
        Name of the node, shown in OHIF's header.
    render
        Renders the page (503) that people see where OHIF is not installed.
    """
    router = APIRouter(prefix=MOUNT.rstrip("/"), include_in_schema=False)
    assets = Assets(folder)

    @router.get("")
    def mount() -> RedirectResponse:
        return RedirectResponse(MOUNT, HTTPStatus.PERMANENT_REDIRECT)

    @router.get("/app-config.js")
    def configuration() -> Response:
        return Response(app_config(site), media_type="text/javascript", headers={"Cache-Control": _ASK_AGAIN})

    @router.get("/init-service-worker.js")
    def service_worker() -> Response:
        return Response(
            _NO_SERVICE_WORKER, media_type="text/javascript", headers={"Cache-Control": _ASK_AGAIN}
        )

    @router.get("/{path:path}")
    def file(request: Request, path: str) -> Response:
        root = assets.root()
        if root is None:
            return render(
                "viewer_missing.html",
                status_code=HTTPStatus.SERVICE_UNAVAILABLE,
                ohif_version=VERSION,
                how_to_add=how_to_add(),
            )
        found = assets.asset(root, path)
        if found is None and "." in path.rsplit("/", 1)[-1]:
            return Response("not here", HTTPStatus.NOT_FOUND, media_type="text/plain")
        return _send(request, found or root / "index.html")

    return router


def _send(request: Request, file: Path) -> Response:
    packed = file.with_name(file.name + ".gz")
    use_packed = packed.is_file() and _takes_gzip(request.headers.get("accept-encoding", ""))
    sent = packed if use_packed else file
    stat = sent.stat()
    headers = {
        "Cache-Control": _FOREVER if _HASHED.search(file.name) else _ASK_AGAIN,
        "ETag": f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"',
        "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
    }
    if packed.is_file():
        headers["Vary"] = "Accept-Encoding"
    if use_packed:
        headers["Content-Encoding"] = "gzip"
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    media_type = _MEDIA_TYPES.get(file.suffix) or guess_type(file.name)[0] or "application/octet-stream"
    return FileResponse(sent, media_type=media_type, headers=headers)


def _takes_gzip(accept_encoding: str) -> bool:
    for offer in accept_encoding.lower().split(","):
        coding, _, parameters = offer.strip().partition(";")
        if coding.strip() in {"gzip", "x-gzip", "*"}:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters)
    return False
