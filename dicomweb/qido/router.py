"""QIDO-RS routes: six resources.

References
----------
PS3.18 §10.6.1 (resources), §10.6.3 (responses).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from dicom_node.domain.catalog import QueryLevel
from dicomweb.dicom_json import dumps
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, MULTIPART_RELATED, Offer, negotiate
from dicomweb.multipart import Payload, new_boundary, write_multipart
from dicomweb.native_model import to_xml
from dicomweb.qido.parameters import parse_search
from dicomweb.routing import accept_of, path_uid, route_class, service_root

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dicom_node.ports.operation import Metrics
    from dicomweb.qido.service import Found, SearchService

RESOURCES = (
    ("/studies", QueryLevel.STUDY),
    ("/studies/{study}/series", QueryLevel.SERIES),
    ("/studies/{study}/instances", QueryLevel.INSTANCE),
    ("/studies/{study}/series/{series}/instances", QueryLevel.INSTANCE),
    ("/series", QueryLevel.SERIES),
    ("/instances", QueryLevel.INSTANCE),
)
_OFFERS = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True))


def create_qido_router(service: SearchService, metrics: Metrics) -> APIRouter:
    """The router of all search resources.

    A search without a match answers 204 without a payload (PS3.18 §8.3.4.4.1 and Table 10.6.3-1).
    """
    router = APIRouter(route_class=route_class("qido", metrics), include_in_schema=False)
    for path, level in RESOURCES:
        router.get(path)(_endpoint(service, level))
    return router


def _endpoint(
    service: SearchService, level: QueryLevel
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    def respond(found: Found, offer: Offer) -> Response:
        if not found.rows:
            return _with_warnings(Response(status_code=HTTPStatus.NO_CONTENT), found)
        if offer.multipart:
            boundary = new_boundary()
            body = b"".join(
                write_multipart((Payload(to_xml(row), DICOM_XML) for row in found.rows), boundary)
            )
            content_type = f'{MULTIPART_RELATED}; type="{DICOM_XML}"; boundary={boundary}'
        else:
            body, content_type = dumps(found.rows), offer.media_type
        return _with_warnings(Response(body, headers={"Content-Type": content_type}), found)

    async def search(request: Request) -> Response:
        offer = negotiate(accept_of(request), _OFFERS)
        names = request.path_params
        asked = parse_search(
            level,
            request.query_params.multi_items(),
            path_uid(request, "study") if "study" in names else None,
            path_uid(request, "series") if "series" in names else None,
        )
        root = service_root(request)
        found = service.prompt(asked, root)
        if found is not None:
            return respond(found, offer)
        return await run_in_threadpool(lambda: respond(service.search(asked, root), offer))

    return search


def _with_warnings(response: Response, found: Found) -> Response:
    response.headers["Cache-Control"] = "no-store"
    for warning in found.warnings:
        response.headers.append("Warning", warning)
    return response
