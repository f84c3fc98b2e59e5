"""STOW-RS routes; bodies are read as they arrive and never kept whole.

References
----------
PS3.18 §10.5.1 (request), §10.5.3 (response, status codes).
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
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
from dicomweb.multipart import MultipartError
from dicomweb.native_model import to_xml
from dicomweb.routing import accept_of, path_uid, route_class, service_root
from dicomweb.stow.body import BLOCK_BYTES, UploadLimits, Uploads, announced_bytes
from dicomweb.stow.encoding import encode_report
from dicomweb.stow.intake import Intake
from dicomweb.stow.metadata import METADATA_TYPES
from dicomweb.stow.service import StoreReport, StoreService

if TYPE_CHECKING:
    from dicom_node.ports.ingest import Senders
    from dicom_node.ports.operation import Metrics

#: Different texts in one Warning header.
_WARNINGS = 3
_OFFERS = (Offer(DICOM_JSON), Offer(DICOM_XML), Offer(JSON))


def create_stow_router(
    service: StoreService, metrics: Metrics, limits: UploadLimits, senders: Senders
) -> APIRouter:
    """The router of the store transaction; `senders` is told which studies a request brings."""
    router = APIRouter(route_class=route_class("stow", metrics), include_in_schema=False)
    uploads = Uploads(limits)
    intake = Intake(service, limits.open_scratch)

    async def store(request: Request) -> Response:
        study = path_uid(request, "study") if "study" in request.path_params else None
        offer = negotiate(accept_of(request), _OFFERS)
        root = service_root(request)
        content_type = _content_type(request)
        _refuse_encoded(request)
        uploads.refuse_large(request)
        announced = announced_bytes(request) or BLOCK_BYTES
        if announced >= BLOCK_BYTES:
            # Before a large body comes in; a small one asks when it is stored.
            await intake.run(partial(service.check_capacity, announced))
        report = StoreReport()
        try:
            async with uploads.place():
                with senders.request() as report.brought:
                    body = uploads.blocks(request)
                    if content_type.content in METADATA_TYPES:
                        await intake.store_metadata(body, content_type, study, report)
                    elif content_type.multipart:
                        await intake.store_parts(body, content_type.params["boundary"], study, report)
                    else:
                        await intake.store_single(body, study, report)
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
        headers = {"Content-Type": offer.media_type, **_warning(report)}
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
        if media_type.multipart:
            # Some clients leave the type out; most requests hold instances.
            media_type.params.setdefault("type", DICOM)
        if media_type.content == DICOM or media_type.content in METADATA_TYPES:
            if media_type.multipart and not media_type.params.get("boundary"):
                raise bad_request("Content-Type multipart/related needs a boundary parameter")
            return media_type
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f'send {MULTIPART_RELATED}; type="{DICOM}" (instances), "{DICOM_JSON}" or "{DICOM_XML}" (metadata and'
        f" bulk data), or one {DICOM}",
        code="unsupported-media-type",
        headers={
            "Accept": ", ".join(
                f'{MULTIPART_RELATED}; type="{kind}"' for kind in (DICOM, DICOM_JSON, DICOM_XML)
            )
            + f", {DICOM}, {DICOM_JSON}, {DICOM_XML}"
        },
    )


def _refuse_encoded(request: Request) -> None:
    """Bodies come as they are; a compressed one is refused as RFC 9110 §12.5.3 has it.

    Raises
    ------
    Problem
        415 with Accept-Encoding.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "send the body without Content-Encoding; images are compressed by their transfer syntax",
            code="unsupported-content-encoding",
            headers={"Accept-Encoding": "identity"},
        )


def _warning(report: StoreReport) -> dict[str, str]:
    """What is wrong with instances, in words for a person; the response module has codes only."""
    texts = list(dict.fromkeys(failure.detail for failure in report.failed if failure.detail))
    spoken = " ".join("; ".join(texts[:_WARNINGS]).split()).replace("\\", "/").replace('"', "'")
    return {"Warning": f'299 - "{spoken.encode("ascii", "replace").decode()}"'} if spoken else {}
