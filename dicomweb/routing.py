"""What all DICOMweb routes share: errors to problem documents, counting, UIDs in paths, absolute URLs."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.routing import APIRoute
from starlette.responses import Response

from dicom_node.domain.errors import InternalError, NodeError
from dicomweb.errors import Problem, bad_request, problem_of, problem_response

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request

    from dicom_node.ports.operation import Metrics

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
#: Where a route's own path begins, after the prefix under which the router is included.
_RESOURCE = re.compile(r"/(studies|series|instances|workitems|subscribers)(/.*)?$")


def route_class(service: str, metrics: Metrics) -> type[APIRoute]:
    """A route that counts its requests as `service` and answers every error as a problem document.

    Wherever it answers GET it answers HEAD too: the same, without the body.
    """

    class DicomwebRoute(APIRoute):
        """Protocol edge of one DICOMweb service."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if self.methods and "GET" in self.methods:
                self.methods.add("HEAD")

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Wrap FastAPI's handler."""
            handler = super().get_route_handler()

            async def answer(request: Request) -> Response:
                try:
                    response = await handler(request)
                except Exception as exc:  # noqa: BLE001 (the protocol edge: everything becomes an answer)
                    response = problem_response(_problem(exc, service))
                metrics.count("requests", service=service, status=str(response.status_code))
                return _without_body(response) if request.method == "HEAD" else response

            return answer

    return DicomwebRoute


def _without_body(response: Response) -> Response:
    bare = Response(status_code=response.status_code)
    bare.raw_headers = response.raw_headers
    return bare


def _problem(error: Exception, service: str) -> Problem:
    if isinstance(error, Problem):
        return error
    log = structlog.get_logger()
    if isinstance(error, NodeError):
        problem = problem_of(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("dicomweb_failed", service=service, code=error.code, status=int(problem.status))
        return problem
    internal = InternalError.of(error)
    log.error("dicomweb_error", service=service, code=internal.code, reason=str(internal))
    return problem_of(internal)


def path_uid(request: Request, name: str) -> str:
    """A UID from the path.

    Raises
    ------
    Problem
        400 if it breaks the rules of PS3.5 §9.1 (digits and dots, 64 characters).
    """
    return checked_uid(str(request.path_params[name]), f"the {name} UID in the path")


def checked_uid(text: str, name: str) -> str:
    """The text, which is a UID.

    Raises
    ------
    Problem
        400 if it breaks the rules of PS3.5 §9.1 (digits and dots, 64 characters).
    """
    if len(text) > 64 or not _UID.fullmatch(text):
        raise bad_request(f"{name} must have digits and dots only, at most 64 characters")
    return text


def accept_of(request: Request) -> str | None:
    """What the client accepts: the `accept` query parameter where present, else the header.

    References
    ----------
    PS3.18 §8.3.3.1 (accept query parameter)
    """
    asked: str | None = request.query_params.get("accept")
    if asked:
        return asked
    headers = request.headers.getlist("accept")
    return ", ".join(headers) if headers else None


def service_root(request: Request) -> str:
    """The absolute URL under which this router is mounted, without a slash at its end.

    Built from the request's own scheme, Host header and mount path, so links work through a proxy that
    passes the Host header on.

    Raises
    ------
    Problem
        400 if the Host header is malformed.
    """
    origin = origin_of(request)
    path: str = request.scope["path"]
    resource = _RESOURCE.search(request.scope["route"].path)
    if resource is None:  # a route of another service
        return origin
    template = resource[0].replace(":path}", "}")
    return origin + path.removesuffix(template.format_map(request.path_params))


def origin_of(request: Request) -> str:
    """Scheme, host and port under which the client asked.

    Raises
    ------
    Problem
        400 if the Host header is malformed.
    """
    try:
        return f"{request.url.scheme}://{_authority(request)}"
    except ValueError as exc:
        raise bad_request("the Host header is malformed") from exc


def _authority(request: Request) -> str:
    """Host and port of the request.

    Some clients (dicomweb-client) leave the port out of the Host header. Where the header names the
    very address that the connection came to, the port is known, and links need it.
    """
    url = request.url
    server = request.scope.get("server")
    if url.port is not None or server is None or not server[1]:
        return url.netloc
    address, port = server
    host = (url.hostname or "").strip("[]")
    direct = host == address or (host == "localhost" and address in {"127.0.0.1", "::1"})
    standard = {"http": 80, "https": 443}.get(url.scheme)
    return f"{url.netloc}:{port}" if direct and port != standard else url.netloc
