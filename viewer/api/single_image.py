"""`/predict`, `/heatmap`, `/meta`: one image in, JSON or PNG out. Nothing of it is kept or logged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from viewer.api.form_files import MalformedForm, boundary_of, form_files
from viewer.api.image_schemas import NOTICE, ImageMetaOut, MetaOut, ModelOut, PredictOut
from viewer.api.schemas import ProblemOut
from viewer.problems import Problem, ProblemRoute
from viewer.rate import RateLimit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dicom_node.ports.single_image import ImagePredictor

FORMATS = ("image/png", "image/jpeg", "application/dicom")
_FORM = "multipart/form-data"
_RAW = frozenset({*FORMATS, "application/octet-stream"})
_NO_STORE = {"Cache-Control": "no-store"}

_ModelName = Annotated[str, Query(max_length=64, description="name of a model that `GET /meta` lists")]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What is taken.

    Attributes
    ----------
    max_bytes, max_pixels
        Of one image.
    per_minute
        Images of one client.
    at_once
        Images that are read and worked on at the same time; more wait.
    read_s
        Seconds for a body to arrive.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 40_000_000
    per_minute: int = 120
    at_once: int = 2
    read_s: float = 60.0


def create_router(predictor: ImagePredictor, limits: ImageLimits) -> APIRouter:
    """The routes; they lie at the root, beside `/api`."""
    router = APIRouter(tags=["single image"], route_class=ProblemRoute)
    rate = RateLimit(limits.per_minute)
    places = asyncio.Semaphore(limits.at_once)

    @router.get("/meta")
    def meta() -> MetaOut:
        """Which models take single images, what they were made for, and what is taken."""
        return MetaOut(
            models=[ModelOut.of(model) for model in predictor.models()],
            formats=list(FORMATS),
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            notice=NOTICE,
        )

    @router.post("/meta", responses=_PROBLEMS, openapi_extra=_BODY)
    async def look(request: Request) -> ImageMetaOut:
        """What the node understands of an image: size, DICOM codes, and what it takes it for."""
        rate.check(_client(request))
        async with places:
            facts, guess = await run_in_threadpool(predictor.look, await _image(request, limits))
        return ImageMetaOut.of(facts, guess)

    @router.post("/predict", responses=_PROBLEMS, openapi_extra=_BODY)
    async def predict(request: Request, model: _ModelName) -> PredictOut:
        """What a model says of an image: a verdict with probabilities, or a refusal with coded reasons."""
        rate.check(_client(request))
        async with places:
            answer = await run_in_threadpool(predictor.predict, model, await _image(request, limits))
        return PredictOut.of(answer)

    @router.post("/heatmap", responses=_PROBLEMS | _PICTURE, response_class=Response, openapi_extra=_BODY)
    async def heatmap(request: Request, model: _ModelName) -> Response:
        """What speaks for the verdict, in colour over the image, as PNG.

        409 where there is none: the model refused (`answer` says why), or it explains nothing.
        """
        rate.check(_client(request))
        async with places:
            answer, png = await run_in_threadpool(predictor.heatmap, model, await _image(request, limits))
        if png is None:
            said = PredictOut.of(answer)
            why = said.reason or "the model does not explain what it says"
            raise Problem(
                HTTPStatus.CONFLICT,
                "no-heatmap",
                f"there is no heatmap: {why}",
                {"answer": said.model_dump(mode="json")},
            )
        return Response(png, media_type="image/png", headers=_NO_STORE)

    return router


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut} for status in (400, 404, 408, 409, 413, 415, 429, 500, 503)
}
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture", "content": {"image/png": {}}}
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One image: the file itself, or a form with one file.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}},
                    "required": ["image"],
                }
            },
        },
    }
}


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _image(request: Request, limits: ImageLimits) -> bytes:
    """The bytes of the image, in memory only.

    Raises
    ------
    Problem
        400, 408, 413 or 415.
    """
    try:
        async with asyncio.timeout(limits.read_s):
            return await _read(request, limits.max_bytes)
    except TimeoutError as exc:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "too-slow", "the image did not arrive in time") from exc


async def _read(request: Request, max_bytes: int) -> bytes:
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _FORM:
        return await _from_form(request.stream(), content_type, max_bytes)
    if media_type not in _RAW:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f"send one image as {', '.join(FORMATS)}, application/octet-stream or {_FORM}",
        )
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(data)


async def _from_form(body: AsyncIterator[bytes], content_type: str, max_bytes: int) -> bytes:
    try:
        async for file in form_files(body, boundary_of(content_type), max_file=max_bytes):
            if file.stream is None:
                raise _too_large(max_bytes)
            return file.stream.getvalue()
    except MalformedForm as exc:
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-form", str(exc)) from exc
    raise Problem(HTTPStatus.BAD_REQUEST, "no-files", "the form holds no file; choose one image")


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"the image has more than {max_bytes // 2**20} MiB; send a smaller one",
    )
