"""Security headers of everything that the node serves, and a guard against requests from other sites."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette import status
from starlette.datastructures import Headers, MutableHeaders

from viewer.ohif.release import MOUNT
from viewer.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# OHIF compiles WebAssembly codecs whose glue code builds functions from text, runs workers from blobs,
# sets inline styles, and has inline scripts in its index page.
_OHIF = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:;"
    " worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " font-src 'self' data:; connect-src 'self' data: blob:; media-src 'self' blob:;"
    " object-src 'self' blob:; frame-src 'self' blob:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
_DATA = "default-src 'none'; frame-ancestors 'self'"

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityHeaders:
    """ASGI middleware: adds the headers, refuses unsafe requests that a page of another site sends.

    Without accounts, any page open in the user's browser could post to a node on loopback; browsers say
    where a request comes from (`Sec-Fetch-Site`, `Origin`). Clients that are no browsers send neither.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket" and _from_another_site(Headers(scope=scope)):
                # Closed before it is accepted, which servers answer with 403. Same-origin rules do not
                # hold pages back from opening a WebSocket, so it has to be done here.
                await receive()
                await send({"type": "websocket.close", "code": status.WS_1008_POLICY_VIOLATION})
                return
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", _policy(path))
                for name, value in _COMMON.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in _SAFE_METHODS and _from_another_site(Headers(scope=scope)):
            refusal = problem_response(
                HTTPStatus.FORBIDDEN,
                "cross-site",
                "the request comes from a page of another site; use the node's own pages or a client program",
            )
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _policy(path: str) -> str:
    if path.startswith(MOUNT):
        return _OHIF
    if path.startswith(("/dicom-web/", "/wado")):
        return _DATA
    return _PAGES


def _from_another_site(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
