"""WADO-RS routes but the rendered ones.

References
----------
PS3.18 §10.4.1 (resources), §10.4.3 (responses).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request

from dicom_node.domain.errors import NotFound
from dicomweb.byte_source import Whole
from dicomweb.errors import not_acceptable
from dicomweb.instance_url import instance_url
from dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, Offer, negotiate
from dicomweb.native_model import to_xml
from dicomweb.routing import accept_of, path_uid, route_class, service_root
from dicomweb.wado import bulkdata
from dicomweb.wado.compression import json_response, takes_gzip
from dicomweb.wado.encoding import Part, multipart_response, not_modified, single_response, validators
from dicomweb.wado.negotiation import frame_offers, negotiate_dicom, negotiate_frames
from dicomweb.wado.service import RetrieveService, Target, parse_frame_list
from dicomweb.wado.transcoding import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.responses import Response

    from dicom_node.domain.catalog_record import CatalogRecord
    from dicom_node.ports.operation import Metrics

STUDY: Final = "/studies/{study}"
SERIES: Final = STUDY + "/series/{series}"
INSTANCE: Final = SERIES + "/instances/{instance}"
FRAMES: Final = INSTANCE + "/frames/{frames}"
_NOSNIFF: Final = {"X-Content-Type-Options": "nosniff"}


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
        router.get(base + "/pixeldata")(endpoints.all_pixeldata)
    return router


class RetrieveEndpoints:
    """What the routes call: HTTP around `RetrieveService`."""

    def __init__(self, service: RetrieveService) -> None:
        self._service = service

    def instances(self, request: Request) -> Response:
        """Whole instances of a study, a series, or one."""
        records = self._service.locate(target_of(request))
        offer = negotiate_dicom(accept_of(request), [record.transfer_syntax_uid for record in records])
        headers = validators(records, f"dicom {offer.transfer_syntax} {offer.multipart}")
        known = _known(request, headers)
        if known is not None:
            return known
        if len(records) > 1 and offer.transfer_syntax in TARGETS:
            self._service.refuse_unencodable(target_of(request), offer.transfer_syntax)
        parts = self._service.instances(records, offer.transfer_syntax or "*", service_root(request))
        if not offer.multipart:
            return single_response(request, next(parts), headers)
        one = len(records) == 1
        return multipart_response(list(parts) if one else parts, offer.media_type, headers)

    def metadata(self, request: Request) -> Response:
        """All attributes without bulk data."""
        records = self._service.locate(target_of(request), attributes=True)
        offer = negotiate(
            accept_of(request), [Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True)]
        )
        root = service_root(request)
        gzip = takes_gzip(request.headers.get("accept-encoding")) and not offer.multipart
        headers = validators(records, f"metadata {offer.media_type} {gzip} {root}")
        headers["Vary"] = "Accept, Accept-Encoding"
        known = _known(request, headers)
        if known is not None:
            return known
        if offer.multipart:
            models = self._service.metadata_models(records, root)
            parts = (Part(Whole(to_xml(model)), DICOM_XML) for model in models)
            return multipart_response(parts, DICOM_XML, headers)
        body = b"".join((b"[", b",".join(self._service.metadata(records, root)), b"]"))
        return json_response(body, headers | {"Content-Type": offer.media_type}, gzip=gzip)

    def frames(self, request: Request) -> Response:
        """Frames of an instance."""
        numbers = parse_frame_list(request.path_params["frames"])
        (record,) = self._service.locate(target_of(request))
        image = self._service.parsed(record).frames.image
        offer = negotiate_frames(accept_of(request), record.transfer_syntax_uid, image, len(numbers))
        headers = validators([record], f"frames {numbers} {offer}")
        known = _known(request, headers)
        if known is not None:
            return known
        parts = self._service.frames(record, numbers, offer, service_root(request))
        if offer.multipart:
            return multipart_response(parts, offer.media_type, headers)
        return single_response(request, next(iter(parts)), headers)

    def bulkdata(self, request: Request) -> Response:
        """One large value."""
        (record,) = self._service.locate(target_of(request))
        path = request.path_params["path"]
        url = f"{instance_url(service_root(request), record)}/bulkdata/{path}"
        instance = self._service.parsed(record)
        if instance.pixels is not None and path.strip("/").upper() == instance.pixel_key:
            return self._pixels(request, record, url)
        holder, tag = bulkdata.locate(instance.dataset, path)
        media_type = bulkdata.media_type_of(holder, tag)
        kinds = dict.fromkeys((media_type, OCTET_STREAM))
        offers = [Offer(kind, multipart) for multipart in (False, True) for kind in kinds]
        offer = negotiate(accept_of(request), offers)
        headers = validators([record], f"bulk {path} {offer}") | _NOSNIFF
        known = _known(request, headers)
        if known is not None:
            return known
        content = bulkdata.document_bytes(holder, tag, bulkdata.value_bytes(holder, tag))
        part = Part(Whole(content), offer.media_type, url)
        if offer.multipart:
            return multipart_response([part], offer.media_type, headers)
        return single_response(request, part, headers)

    def _pixels(self, request: Request, record: CatalogRecord, url: str) -> Response:
        """The pixel data of an instance as one value."""
        frames = self._service.parsed(record).frames
        stored = record.transfer_syntax_uid
        parts_of_stored = frames.count if frames.compressed and not frames.video else 1
        offer = negotiate_frames(accept_of(request), stored, frames.image, 1)
        headers = validators([record], f"bulk pixels {offer}") | _NOSNIFF
        known = _known(request, headers)
        if known is not None:
            return known
        parts = self._service.pixel_parts(record, offer, service_root(request), url)
        if offer.multipart:
            return multipart_response(parts, offer.media_type, headers)
        if parts_of_stored > 1 and offer.transfer_syntax == stored:
            raise not_acceptable(
                f'several compressed frames need multipart/related; type="{offer.media_type}", or frames/N'
            )
        return single_response(request, next(parts), headers)

    def all_bulkdata(self, request: Request) -> Response:
        """Every large value of a study, a series or an instance."""
        records = self._service.locate(target_of(request))
        negotiate(accept_of(request), [Offer(OCTET_STREAM, multipart=True)])
        headers = validators(records, "all bulk")
        root = service_root(request)
        values = (
            chain(self._service.bulk_values(record, root), self._all_pixels(record, root))
            for record in records
        )
        known = _known(request, headers)
        if known is not None:
            return known
        return multipart_response(_some(chain.from_iterable(values), "bulk data"), OCTET_STREAM, headers)

    def all_pixeldata(self, request: Request) -> Response:
        """The pixel data of a study, a series or an instance."""
        records = self._service.locate(target_of(request))
        stored = {record.transfer_syntax_uid for record in records}
        if len(stored) == 1:
            offers = [offer for offer in frame_offers(stored.pop(), None, 1) if offer.multipart]
        else:
            offers = [Offer(OCTET_STREAM, multipart=True)]
        offer = negotiate(accept_of(request), offers)
        headers = validators(records, f"all pixels {offer}")
        known = _known(request, headers)
        if known is not None:
            return known
        root = service_root(request)
        pixels = (self._all_pixels(record, root, offer) for record in records)
        parts = _some(chain.from_iterable(pixels), "pixel data")
        return multipart_response(parts, offer.media_type, headers)

    def _all_pixels(self, record: CatalogRecord, root: str, offer: Offer | None = None) -> Iterator[Part]:
        """In the form of the offer; without one that names a transfer syntax as octets, decoded if that can
        be done.
        """  # noqa: D205
        instance = self._service.parsed(record)
        if instance.pixels is None:
            return
        if offer is None or offer.transfer_syntax is None:
            offer = _octets(frame_offers(record.transfer_syntax_uid, None, 1))
        url = f"{instance_url(root, record)}/bulkdata/{instance.pixel_key}"
        yield from self._service.pixel_parts(record, offer, root, url)


def _octets(offers: Sequence[Offer]) -> Offer:
    """The offer for a client that takes octets and names no transfer syntax."""
    octets = [offer for offer in offers if offer.media_type == OCTET_STREAM]
    return next((offer for offer in octets if offer.default), octets[0])


def _some(parts: Iterator[Part], what: str) -> Iterator[Part]:
    """The same parts, at least one.

    Raises
    ------
    NotFound
    """
    first = next(parts, None)
    if first is None:
        raise NotFound(f"nothing here has {what}")
    return chain((first,), parts)


def _known(request: Request, headers: dict[str, str]) -> Response | None:
    return not_modified(request.headers.get("if-none-match"), headers)
