"""WADO-RS routes of rendered resources and thumbnails.

References
----------
PS3.18 §10.4.1.1.3 and §10.4.1.1.4 (resources), §8.3.5 (query parameters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from dicomweb.byte_source import Whole
from dicomweb.routing import accept_of, route_class, service_root
from dicomweb.wado.encoding import Part, multipart_response, not_modified, single_response, validators
from dicomweb.wado.pictures import Picture, PictureService
from dicomweb.wado.rendered import FrameRenderer
from dicomweb.wado.rendering_parameters import parse_rendering, parse_thumbnail
from dicomweb.wado.router import FRAMES, INSTANCE, SERIES, STUDY, target_of
from dicomweb.wado.service import parse_frame_list
from dicomweb.wado.thumbnails import ThumbnailService

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from dicom_node.ports.operation import Metrics
    from dicomweb.wado.service import RetrieveService

#: What a browser needs to hear of content that came out of a data set.
PICTURE_HEADERS = {"X-Content-Type-Options": "nosniff"}
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
#: A browser that is led to a film shows it in a page of its own, which loads the same address.
_FILM_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"


def create_rendered_router(service: RetrieveService, metrics: Metrics, service_name: str) -> APIRouter:
    """The router of rendered resources and thumbnails of studies, series, instances and frames."""
    router = APIRouter(route_class=route_class("wado", metrics), include_in_schema=False)
    endpoints = RenderedEndpoints(service, service_name)
    for base in (STUDY, SERIES, INSTANCE, FRAMES):
        router.get(base + "/rendered")(endpoints.rendered)
        router.get(base + "/thumbnail")(endpoints.thumbnail)
    return router


class RenderedEndpoints:
    """What the routes call: HTTP around pictures and thumbnails."""

    def __init__(self, service: RetrieveService, service_name: str) -> None:
        self._service = service
        renderer = FrameRenderer()
        self._pictures = PictureService(service, renderer)
        self._thumbnails = ThumbnailService(service, renderer)
        self._name = service_name

    def rendered(self, request: Request) -> Response:
        """A study, series, instance or frames as pictures, pages or documents."""
        numbers = _numbers(request)
        rendering = parse_rendering(request.query_params)
        entries = self._service.find(target_of(request))
        accept = accept_of(request)
        headers = validators(entries, f"rendered {numbers} {rendering} {accept}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        picture = self._pictures.rendered(entries, numbers, rendering, accept, service_root(request))
        return picture_response(request, picture, headers, warning_headers(rendering.warnings, self._name))

    def thumbnail(self, request: Request) -> Response:
        """A small picture."""
        numbers = _numbers(request)
        viewport = parse_thumbnail(request.query_params)
        entries = self._service.find(target_of(request))
        accept = accept_of(request)
        headers = validators(entries, f"thumbnail {numbers} {viewport} {accept}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        media_type, content = self._thumbnails.thumbnail(entries, numbers, viewport, accept)
        return picture_response(request, Picture(media_type, content), headers)


def _numbers(request: Request) -> tuple[int, ...] | None:
    frames = request.path_params.get("frames")
    return parse_frame_list(frames) if frames is not None else None


def warning_headers(warnings: Iterable[str], service_name: str) -> dict[str, str]:
    """The Warning header field of what was left out, if anything was."""
    text = ", ".join(f'299 {service_name}: "{warning}"' for warning in warnings)
    return {"Warning": text} if text else {}


def picture_response(request: Request, picture: Picture, *headers: dict[str, str]) -> Response:
    """The response that holds a picture, or the range of it that is asked for.

    Raises
    ------
    Problem
        416 if the range lies outside.
    """
    merged = dict(PICTURE_HEADERS)
    for fields in headers:
        merged |= fields
    if picture.media_type.startswith(("text/html", "text/xml")):
        merged["Content-Security-Policy"] = _PAGE_POLICY
    elif picture.media_type.startswith("video/"):
        merged["Content-Security-Policy"] = _FILM_POLICY
    if picture.parts is not None:
        return multipart_response(picture.parts, picture.media_type, merged)
    return single_response(request, Part(Whole(picture.content or b""), picture.media_type), merged)
