"""WADO-RS routes.

References
----------
PS3.18 §10.4.1 (resources), §10.4.3 (responses).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicomweb.dicom_json import PIXEL_TAGS, dumps
from dicomweb.errors import bad_request
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, Offer, negotiate
from dicomweb.multipart import Payload
from dicomweb.native_model import to_xml
from dicomweb.routing import accept_of, path_uid, route_class, service_root
from dicomweb.wado import bulkdata
from dicomweb.wado.encoding import (
    dicom_offers,
    multipart_response,
    not_modified,
    ranged_response,
    validators,
)
from dicomweb.wado.service import (
    RetrieveService,
    Target,
    instance_url,
    negotiate_frames,
    parse_frame_list,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.ports.operation import Metrics

STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"
FRAMES = INSTANCE + "/frames/{frames}"
_NOSNIFF = {"X-Content-Type-Options": "nosniff"}


def target_of(request: Request) -> Target:
    """The UIDs of the path.

    Raises
    ------
    Problem
        400 if one is malformed.
    """
    names = request.path_params
    return Target(
        path_uid(request, "study"),
        path_uid(request, "series") if "series" in names else None,
        path_uid(request, "instance") if "instance" in names else None,
    )


def create_wado_router(service: RetrieveService, metrics: Metrics) -> APIRouter:
    """The router of all retrieve resources but the rendered ones."""
    router = APIRouter(route_class=route_class("wado", metrics), include_in_schema=False)
    endpoints = RetrieveEndpoints(service)
    router.get(FRAMES)(endpoints.frames)
    router.get(INSTANCE + "/bulkdata/{path:path}")(endpoints.bulkdata)
    for base in (STUDY, SERIES, INSTANCE):
        router.get(base)(endpoints.instances)
        router.get(base + "/metadata")(endpoints.metadata)
        router.get(base + "/bulkdata")(endpoints.all_bulkdata)
    return router


class RetrieveEndpoints:
    """What the routes call: HTTP around `RetrieveService`."""

    def __init__(self, service: RetrieveService) -> None:
        self._service = service

    def instances(self, request: Request) -> Response:
        """Whole instances of a study, a series, or one."""
        entries = self._service.find(target_of(request))
        offer = negotiate(accept_of(request), dicom_offers(entries))
        headers = validators(entries, f"dicom {offer.transfer_syntax} {offer.multipart}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        payloads = self._service.instances(entries, offer.transfer_syntax or "*", service_root(request))
        if offer.multipart:
            return multipart_response(payloads, offer.media_type, headers)
        single = next(payloads)
        return Response(single.content, headers={**headers, "Content-Type": single.content_type})

    def metadata(self, request: Request) -> Response:
        """All attributes without bulk data."""
        entries = self._service.find(target_of(request))
        offer = negotiate(
            accept_of(request), [Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True)]
        )
        root = service_root(request)
        headers = validators(entries, f"metadata {offer.media_type} {root}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        models = self._service.metadata(entries, root)
        if offer.multipart:
            parts = (Payload(to_xml(model), DICOM_XML) for model in models)
            return multipart_response(parts, DICOM_XML, headers)
        return Response(dumps(models), headers={**headers, "Content-Type": offer.media_type})

    def frames(self, request: Request) -> Response:
        """Frames of an instance."""
        numbers = parse_frame_list(request.path_params["frames"])
        entry = self._service.find(target_of(request))[0]
        offer = negotiate_frames(accept_of(request), entry.transfer_syntax_uid, len(numbers))
        headers = validators([entry], f"frames {numbers} {offer}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        payloads = self._service.frames(entry, numbers, offer, service_root(request))
        if offer.multipart:
            return multipart_response(payloads, offer.media_type, headers)
        return ranged_response(
            payloads[0].content, payloads[0].content_type, headers, request.headers.get("range")
        )

    def bulkdata(self, request: Request) -> Response:
        """One large value."""
        entry = self._service.find(target_of(request))[0]
        url = f"{instance_url(service_root(request), entry)}/bulkdata/{request.path_params['path']}"
        instance = self._service.parsed(entry)
        holder, tag = bulkdata.locate(instance.dataset, request.path_params["path"])
        content = bulkdata.value_bytes(holder, tag)
        if holder is instance.dataset and tag in PIXEL_TAGS:
            offer = negotiate_frames(accept_of(request), entry.transfer_syntax_uid, 1)
            parts = bulkdata.pixel_payloads(instance, offer, url)
            headers = validators([entry], f"bulk {tag} {offer}")
            if offer.multipart:
                return multipart_response(parts, offer.media_type, headers)
            pixels = list(parts)
            if len(pixels) > 1:
                raise bad_request("compressed frames need multipart/related; or ask for frames/N")
            payload = pixels[0]
            return ranged_response(
                payload.content, payload.content_type, headers | _NOSNIFF, request.headers.get("range")
            )
        media_type = bulkdata.media_type_of(holder, tag)
        offers = [Offer(media_type), Offer(OCTET_STREAM), Offer(media_type, multipart=True)]
        offer = negotiate(accept_of(request), [*offers, Offer(OCTET_STREAM, multipart=True)])
        content = bulkdata.document_bytes(holder, tag, content)
        headers = validators([entry], f"bulk {request.path_params['path']} {offer}") | _NOSNIFF
        if offer.multipart:
            return multipart_response([Payload(content, offer.media_type, url)], offer.media_type, headers)
        return ranged_response(content, offer.media_type, headers, request.headers.get("range"))

    def all_bulkdata(self, request: Request) -> Response:
        """Every large value of a study, a series or an instance."""
        entries = self._service.find(target_of(request))
        negotiate(accept_of(request), [Offer(OCTET_STREAM, multipart=True)])
        headers = validators(entries, "all bulk")
        return multipart_response(
            _all_bulk(self._service, entries, service_root(request)), OCTET_STREAM, headers
        )


def _all_bulk(service: RetrieveService, entries: Sequence[CatalogEntry], root: str) -> Iterator[Payload]:
    for entry in entries:
        instance = service.parsed(entry)
        url = f"{instance_url(root, entry)}/bulkdata"
        for path in bulkdata.bulk_paths(instance.dataset):
            holder, tag = bulkdata.locate(instance.dataset, path)
            if holder is instance.dataset and tag in PIXEL_TAGS:
                offer = negotiate_frames(
                    'multipart/related; type="application/octet-stream"', entry.transfer_syntax_uid, 1
                )
                yield from bulkdata.pixel_payloads(instance, offer, f"{url}/{path}")
            else:
                yield Payload(bulkdata.value_bytes(holder, tag), OCTET_STREAM, f"{url}/{path}")
