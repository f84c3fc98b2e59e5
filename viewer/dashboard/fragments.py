"""Parts of pages that browsers ask for again and again."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.responses import Response

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import HTMLResponse


def unless_known(request: Request, page: HTMLResponse) -> Response:
    """The page, or 304 where the browser has it already."""
    if page.status_code != HTTPStatus.OK:
        return page
    etag = f'"{sha256(bytes(page.body)).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    page.headers.update(headers)
    return page
