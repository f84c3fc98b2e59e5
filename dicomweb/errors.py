"""What an error becomes at the HTTP edge: status, STOW failure reason, and a problem document.

Two kinds of errors arrive here. A `NodeError` comes from inside; `_TABLE` maps every leaf of its tree.
A `Problem` is raised by DICOMweb itself for what is wrong with the request (syntax, media types).

References
----------
PS3.18 §8.5 and Table 10.5.3-1 (status codes), PS3.18 Annex I.2.2 (failure reasons), RFC 9457.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

from dicom_node.domain import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEM_JSON = "application/problem+json"

#: Seconds that a client is asked to wait after a transient error.
RETRY_AFTER_S = 30

REFUSED_OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900
STUDY_INSTANCE_UID_DISAGREES = 0xA901
CANNOT_UNDERSTAND = 0xC000
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORISED = 0x0124
#: Warning Reason "Elements Discarded": other bytes are kept under the same SOP Instance UID.
ELEMENTS_DISCARDED = 0xB006


@dataclass(frozen=True, slots=True)
class Mapped:
    """How an error shows: HTTP status of a whole request, Failure Reason (0008,1197) of an instance."""

    status: HTTPStatus
    failure_reason: int


_TABLE: Mapping[type[errors.NodeError], Mapped] = {
    errors.NodeError: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.PermanentError: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.InvalidInstance: Mapped(HTTPStatus.BAD_REQUEST, CANNOT_UNDERSTAND),
    errors.MissingIdentifier: Mapped(HTTPStatus.BAD_REQUEST, DATA_SET_DOES_NOT_MATCH_SOP_CLASS),
    errors.TruncatedDataset: Mapped(HTTPStatus.BAD_REQUEST, CANNOT_UNDERSTAND),
    errors.SopClassMismatch: Mapped(HTTPStatus.BAD_REQUEST, DATA_SET_DOES_NOT_MATCH_SOP_CLASS),
    errors.UnsupportedSopClass: Mapped(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, SOP_CLASS_NOT_SUPPORTED),
    errors.UnsupportedTransferSyntax: Mapped(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, TRANSFER_SYNTAX_NOT_SUPPORTED
    ),
    errors.NotAuthorised: Mapped(HTTPStatus.FORBIDDEN, NOT_AUTHORISED),
    errors.NotFound: Mapped(HTTPStatus.NOT_FOUND, PROCESSING_FAILURE),
    errors.Gone: Mapped(HTTPStatus.GONE, PROCESSING_FAILURE),
    errors.Conflict: Mapped(HTTPStatus.CONFLICT, PROCESSING_FAILURE),
    errors.SearchTooBroad: Mapped(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, PROCESSING_FAILURE),
    errors.Quarantined: Mapped(HTTPStatus.CONFLICT, PROCESSING_FAILURE),
    errors.ReidentificationFailed: Mapped(HTTPStatus.CONFLICT, PROCESSING_FAILURE),
    errors.InvalidModelPackage: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.InferenceFailed: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.EncodingFailed: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.ArchiveRefused: Mapped(HTTPStatus.BAD_GATEWAY, PROCESSING_FAILURE),
    errors.ConfigurationError: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.InternalError: Mapped(HTTPStatus.INTERNAL_SERVER_ERROR, PROCESSING_FAILURE),
    errors.TransientError: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, PROCESSING_FAILURE),
    errors.OutOfResources: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, REFUSED_OUT_OF_RESOURCES),
    errors.StorageFailure: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, PROCESSING_FAILURE),
    errors.SlotExpired: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, PROCESSING_FAILURE),
    errors.DeliveryFailed: Mapped(HTTPStatus.BAD_GATEWAY, PROCESSING_FAILURE),
    errors.DeliveryRefused: Mapped(HTTPStatus.BAD_GATEWAY, PROCESSING_FAILURE),
    errors.NotificationFailed: Mapped(HTTPStatus.BAD_GATEWAY, PROCESSING_FAILURE),
    errors.ArchiveFailed: Mapped(HTTPStatus.BAD_GATEWAY, PROCESSING_FAILURE),
    errors.ModelProcessFailed: Mapped(HTTPStatus.SERVICE_UNAVAILABLE, PROCESSING_FAILURE),
}


def mapped_types() -> frozenset[type[errors.NodeError]]:
    """Every error type that has an entry of its own; a test compares it with the tree."""
    return frozenset(_TABLE)


def map_error(error: errors.NodeError) -> Mapped:
    """The entry of the error's type, or of its nearest base that has one."""
    for kind in type(error).__mro__:
        if kind in _TABLE:
            return _TABLE[kind]
    return _TABLE[errors.NodeError]


class Problem(Exception):
    """Something is wrong with an HTTP request; answered as a problem document.

    `detail` says what to do and carries nothing that was not in the request.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        code: str = "bad-request",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.headers = dict(headers or {})


def bad_request(detail: str) -> Problem:
    """400: the request's syntax or parameters."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def not_acceptable(detail: str) -> Problem:
    """406: none of the media types that the client accepts can be given."""
    return Problem(HTTPStatus.NOT_ACCEPTABLE, detail, code="not-acceptable")


def problem_of(error: errors.NodeError) -> Problem:
    """The problem that stands for an error from inside the node."""
    status = map_error(error).status
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Problem(status, str(error) or status.description, code=error.code, headers=headers)


def problem_response(problem: Problem) -> Response:
    """The problem as `application/problem+json` (RFC 9457)."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        "code": problem.code,
    }
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, problem.status, headers=problem.headers, media_type=PROBLEM_JSON)
