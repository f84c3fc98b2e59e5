"""The route of WADO-URI.

References
----------
PS3.18 §9.1 to §9.5 (URI Service).
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from dicomweb.capabilities.router import ELSEWHERE
from dicomweb.errors import Problem, bad_request, not_acceptable
from dicomweb.media_types import DICOM, negotiate, parse_accept
from dicomweb.routing import accept_of, origin_of, route_class
from dicomweb.uri.parameters import UriRequest, parse_uri_request, refuse_image_parameters
from dicomweb.wado.encoding import Part, not_modified, single_response, validators
from dicomweb.wado.negotiation import dicom_offers
from dicomweb.wado.pictures import PictureService
from dicomweb.wado.presentation_state import PresentationState, is_presentation_state
from dicomweb.wado.rendered import FrameRenderer
from dicomweb.wado.rendered_router import picture_response, warning_headers
from dicomweb.wado.rendering_parameters import MAX_VIEWPORT, Viewport
from dicomweb.wado.representative import is_image, shows_identity

if TYPE_CHECKING:
    from dicom_node.domain.catalog import CatalogEntry
    from dicom_node.ports.operation import Metrics
    from dicomweb.wado.service import RetrieveService

PATH = "/wado"
_OTHERS = ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"]
_ALLOWED = "GET, HEAD, OPTIONS"
#: A side that is not asked for does not bound the picture.
_UNBOUNDED = MAX_VIEWPORT


def create_uri_router(
    service: RetrieveService, metrics: Metrics, service_name: str, rest_path: str = "/dicom-web"
) -> APIRouter:
    """The router of WADO-URI, to be included at the root.

    Parameters
    ----------
    rest_path
        Where the RESTful services lie, for links in answers.
    """
    router = APIRouter(route_class=route_class("wado-uri", metrics), include_in_schema=False)
    endpoint = UriEndpoint(service, service_name, rest_path)
    router.get(PATH)(endpoint.retrieve)
    router.api_route(PATH, methods=_OTHERS, name=ELSEWHERE)(endpoint.other)
    return router


class UriEndpoint:
    """What the route calls: HTTP around instances and pictures."""

    def __init__(self, service: RetrieveService, service_name: str, rest_path: str) -> None:
        self._service = service
        self._pictures = PictureService(service, FrameRenderer())
        self._name = service_name
        self._rest_path = rest_path

    def other(self, request: Request) -> Response:
        """OPTIONS, and whatever is no GET."""
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": _ALLOWED})
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"this resource takes {_ALLOWED}",
            code="method-not-allowed",
            headers={"Allow": _ALLOWED},
        )

    def retrieve(self, request: Request) -> Response:
        """An instance as DICOM, or rendered."""
        params = request.query_params
        asked = parse_uri_request(params)
        accept = asked.accept or accept_of(request)
        if any(wanted.multipart for wanted in parse_accept(accept)):
            raise not_acceptable("WADO-URI gives one part; for several use the RESTful services")
        entry = self._service.find(asked.target)[0]
        headers = validators([entry], f"uri {asked} {accept}")
        known = not_modified(request.headers.get("if-none-match"), headers)
        if known is not None:
            return known
        if asked.anonymize and shows_identity(entry):
            raise not_acceptable(
                "the instance says that identity is burned into its pixels, so it is not anonymous"
            )
        if _wants_dicom(accept, asked):
            refuse_image_parameters(params)
            return self._dicom(request, entry, asked.transfer_syntax or _named_syntax(accept), headers)
        return self._rendered(request, entry, asked, accept, headers)

    def _dicom(
        self, request: Request, entry: CatalogEntry, syntax: str | None, headers: dict[str, str]
    ) -> Response:
        wanted = DICOM if syntax is None else f"{DICOM}; transfer-syntax={syntax}"
        offers = [offer for offer in dicom_offers([entry.transfer_syntax_uid], 1) if not offer.multipart]
        offer = negotiate(wanted, offers)
        content, _ = self._service.instance(entry, offer.transfer_syntax or "*")
        return single_response(request, Part(content, DICOM), headers)

    def _rendered(
        self,
        request: Request,
        entry: CatalogEntry,
        asked: UriRequest,
        accept: str | None,
        headers: dict[str, str],
    ) -> Response:
        if asked.of_image and not (is_image(entry) or is_presentation_state(entry.sop_class_uid)):
            raise bad_request("the instance is no image, so it takes no parameters of images")
        rendering = replace(asked.rendering, viewport=self._viewport(entry, asked))
        picture = self._pictures.rendered(
            [entry],
            None if asked.frame is None else (asked.frame,),
            rendering,
            accept,
            origin_of(request) + self._rest_path,
            self._presentation(asked),
        )
        return picture_response(request, picture, headers, warning_headers(rendering.warnings, self._name))

    def _presentation(self, asked: UriRequest) -> PresentationState | None:
        if asked.presentation is None:
            return None
        entry = self._service.find(asked.presentation)[0]
        if not is_presentation_state(entry.sop_class_uid):
            raise bad_request("presentationUID names no grayscale or colour presentation state")
        state = PresentationState(self._service.parsed(entry).dataset)
        if asked.target.instance not in {reference.sop_instance_uid for reference in state.references}:
            raise bad_request("the presentation state does not refer to this image")
        return state

    def _viewport(self, entry: CatalogEntry, asked: UriRequest) -> Viewport | None:
        """Rows, columns and region as a viewport in pixels of the image."""
        if asked.rows is None and asked.columns is None and asked.region is None:
            return None
        image = self._service.parsed(entry).dataset
        rows, columns = int(image.get("Rows", 1) or 1), int(image.get("Columns", 1) or 1)
        region = asked.region
        if region is None:
            return Viewport(asked.columns or _UNBOUNDED, asked.rows or _UNBOUNDED)
        x, y = region.left * columns, region.upper * rows
        width = max(1.0, (region.right - region.left) * columns)
        height = max(1.0, (region.lower - region.upper) * rows)
        if asked.rows is None and asked.columns is None:
            return Viewport(max(1, round(width)), max(1, round(height)), x, y, width, height)
        return Viewport(asked.columns or _UNBOUNDED, asked.rows or _UNBOUNDED, x, y, width, height)


def _wants_dicom(accept: str | None, asked: UriRequest) -> bool:
    """Whether a whole instance is asked for (§9.3): it is named, and nothing rendered is liked more."""
    ranges = parse_accept(accept)
    named = [wanted.quality for wanted in ranges if wanted.name == DICOM and wanted.quality > 0]
    if not named:
        if asked.transfer_syntax is not None:
            raise bad_request(f"transferSyntax goes with contentType={DICOM}")
        return False
    others = [wanted.quality for wanted in ranges if wanted.name not in {DICOM, "*/*"}]
    return max(named) >= max(others, default=0.0)


def _named_syntax(accept: str | None) -> str | None:
    """The transfer syntax that stands with application/dicom itself, if one does."""
    named = (wanted.transfer_syntax for wanted in parse_accept(accept) if wanted.name == DICOM)
    return next(named, None)
