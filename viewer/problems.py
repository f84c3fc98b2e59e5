"""Errors of the REST API as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from dicom_node.domain import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

#: HTTP status by error; an error takes that of its nearest ancestor.
STATUS_BY_ERROR: dict[type[errors.NodeError], HTTPStatus] = {
    errors.NodeError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.PermanentError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidInstance: HTTPStatus.BAD_REQUEST,
    errors.UnsupportedSopClass: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.UnsupportedTransferSyntax: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotAuthorised: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Gone: HTTPStatus.GONE,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.SearchTooBroad: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Quarantined: HTTPStatus.CONFLICT,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
}

_RETRY_AFTER_S = 30


class Problem(Exception):
    """An answer that is an error of the request.

    Parameters
    ----------
    code
        Stable, for scripts.
    detail
        What to do, without identity: it never repeats what was sent.
    extra
        Further members of the problem object.
    headers
        Of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra or {}
        self.headers = headers or {}


def status_of(error: errors.NodeError) -> HTTPStatus:
    """The HTTP status of a node error."""
    return next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)


def problem_response(
    status: HTTPStatus,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem object.

    References
    ----------
    RFC 9457 §3
    """
    again = {"Retry-After": str(_RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
    }
    return JSONResponse({**body, **(extra or {})}, int(status), {**again, **(headers or {})}, MEDIA_TYPE)


class ProblemRoute(APIRoute):
    """A route whose errors leave as problem objects, whatever app it is part of."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as exc:
                return problem_response(exc.status, exc.code, exc.detail, exc.extra, exc.headers)
            except errors.NodeError as exc:
                status = status_of(exc)
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    log.warning("api.failed", code=exc.code, status=int(status))
                return problem_response(status, exc.code, str(exc))
            except RequestValidationError as exc:
                # Names and kinds only: the values that were sent may be identity.
                wrong = [{"in": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in exc.errors()]
                return problem_response(
                    HTTPStatus.BAD_REQUEST,
                    "invalid-request",
                    "a parameter is missing or malformed; see `errors`",
                    {"errors": wrong},
                )
            except HTTPException as exc:
                return problem_response(HTTPStatus(exc.status_code), "http-error", str(exc.detail))

        return handled
