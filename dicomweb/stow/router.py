"""STOW-RS routes; bodies are read as they arrive and never kept whole.

References
----------
PS3.18 §10.5.1 (request), §10.5.3 (response, status codes).
"""

from __future__ import annotations

import asyncio
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dicomweb.dicom_json import dumps
from dicomweb.errors import RETRY_AFTER_S, Problem, bad_request
from dicomweb.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART_RELATED,
    MediaType,
    Offer,
    negotiate,
    parse_media_type,
)
from dicomweb.multipart import MultipartError, MultipartParser, Part, open_spool
from dicomweb.native_model import to_xml
from dicomweb.routing import accept_of, path_uid, route_class, service_root
from dicomweb.stow.encoding import encode_report
from dicomweb.stow.service import Failure, Stored, StoreReport, StoreService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dicom_node.ports.operation import Metrics

#: Instances of one request that are stored at the same time: their waits for the disk overlap.
CONCURRENT_STORES = 4
_OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(JSON))


def create_stow_router(service: StoreService, metrics: Metrics, max_upload_bytes: int) -> APIRouter:
    """The router of the store transaction; a larger body than `max_upload_bytes` is answered 413."""
    router = APIRouter(route_class=route_class("stow", metrics), include_in_schema=False)

    async def store(request: Request) -> Response:
        study = path_uid(request, "study") if "study" in request.path_params else None
        offer = negotiate(accept_of(request), _OFFERS)
        root = service_root(request)
        content_type = _content_type(request)
        _refuse_large(request, max_upload_bytes)
        await run_in_threadpool(service.check_capacity)
        report = StoreReport()
        body = _limited(request, max_upload_bytes)
        try:
            if content_type.multipart:
                await _store_parts(service, body, content_type, study, report)
            else:
                await _store_single(service, body, study, report)
        except MultipartError as exc:
            raise bad_request(
                f"the multipart body cannot be read: {exc}. {len(report.stored)} instances before this place"
                " were stored; sending them again is safe"
            ) from exc
        except ClientDisconnect as exc:
            raise bad_request("the body ended early") from exc
        if not report.stored and not report.failed:
            raise bad_request("the body holds no part; send one application/dicom part an instance")
        model = encode_report(report, root)
        content = to_xml(model) if offer.media_type == DICOM_XML else dumps(model)
        headers = {"Content-Type": offer.media_type}
        if report.status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        return Response(content, report.status, headers=headers)

    router.post("/studies")(store)
    router.post("/studies/{study}")(store)
    return router


def _content_type(request: Request) -> MediaType:
    """The body's media type.

    Raises
    ------
    Problem
        415 if it is none that can be stored, 400 if the boundary is missing.
    """
    media_type = parse_media_type(request.headers.get("content-type", ""))
    if media_type is not None:
        if media_type.name == DICOM:
            return media_type
        if media_type.multipart and media_type.params.get("type", DICOM).lower() == DICOM:
            if not media_type.params.get("boundary"):
                raise bad_request("Content-Type multipart/related needs a boundary parameter")
            return media_type
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f'send {MULTIPART_RELATED}; type="{DICOM}" or {DICOM}; metadata with bulk data is not supported',
        code="unsupported-media-type",
        headers={"Accept": f'{MULTIPART_RELATED}; type="{DICOM}", {DICOM}'},
    )


def _refuse_large(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {limit} bytes; send fewer instances a request, or raise http.max_upload_mb",
        code="too-large",
    )


async def _limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The chunks of the body.

    Raises
    ------
    Problem
        413 where they become too many.
    """
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        yield chunk


async def _store_parts(
    service: StoreService,
    body: AsyncIterator[bytes],
    content_type: MediaType,
    study: str | None,
    report: StoreReport,
) -> None:
    """Store parts as they end, a few at once while the body goes on; the report keeps their order."""
    parser = MultipartParser(content_type.params["boundary"])
    running: deque[asyncio.Task[Stored | Failure]] = deque()
    try:
        async for chunk in body:
            for part in parser.feed(chunk):
                running.append(asyncio.create_task(run_in_threadpool(service.store, part, study)))
                if len(running) >= CONCURRENT_STORES:
                    report.add(await running.popleft())
        parser.finish()
    finally:
        parser.close()
        while running:
            report.add(await running.popleft())


async def _store_single(
    service: StoreService, body: AsyncIterator[bytes], study: str | None, report: StoreReport
) -> None:
    spool = open_spool()
    try:
        async for chunk in body:
            spool.write(chunk)
        if not spool.tell():
            raise bad_request("the body is empty")
        spool.seek(0)
        report.add(await run_in_threadpool(service.store, Part({}, spool), study))
    finally:
        spool.close()
