"""`POST /api/upload`: DICOM files from a browser, into the same receive stage as C-STORE and STOW-RS."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from dicom_node.domain.errors import InvalidInstance, NodeError, OutOfResources, TransientError
from dicom_node.domain.instance import IncomingInstance
from viewer.api.form_files import FormFile, MalformedForm, boundary_of, form_files
from viewer.api.schemas import ProblemOut, UploadedFile, UploadOut
from viewer.problems import Problem, ProblemRoute, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dicom_node.ports.ingest import Brought, Receiver, Senders

log = structlog.get_logger(__name__)

#: Bytes of one file: it is held in memory until it is in the encrypted spool.
MAX_FILE = 512 * 2**20
#: Uploads that hold a file in memory at the same time; others wait.
_AT_ONCE = 2
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


def create_router(receiver: Receiver, senders: Senders, *, max_file: int = MAX_FILE) -> APIRouter:
    """The upload route below `/api`.

    Parameters
    ----------
    senders
        Is told which studies an upload brings while it is open.
    max_file
        Bytes that one file may have.
    """
    router = APIRouter(prefix="/api", tags=["upload"], route_class=ProblemRoute)
    places = asyncio.Semaphore(_AT_ONCE)

    @router.post(
        "/upload",
        response_model=UploadOut,
        responses={400: {"model": ProblemOut}, 503: {"model": ProblemOut}},
        openapi_extra=_FORM,
    )
    async def upload(request: Request) -> Response:
        """Store DICOM files (Part 10) that a form sends in fields of type file.

        200 where at least one file was taken, with the outcome of each; otherwise the problem of the first.
        """
        try:
            boundary = boundary_of(request.headers.get("content-type", ""))
        except MalformedForm as exc:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", str(exc)) from exc
        async with places:
            await run_in_threadpool(receiver.check_capacity)
            with senders.request() as brought:
                files = form_files(request.stream(), boundary, max_file=max_file)
                outcome, first_error = await _store_all(receiver, files, brought)
        log.info("upload.done", count=outcome.taken, failed=outcome.failed)
        if not outcome.taken:
            raise _nothing_taken(outcome, first_error)
        if "text/html" in request.headers.get("accept", ""):
            # A form that a browser sent without script: back to the page that shows the studies.
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
        return JSONResponse(outcome.model_dump())

    return router


_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


async def _store_all(
    receiver: Receiver, sent: AsyncIterator[FormFile], brought: Brought
) -> tuple[UploadOut, NodeError | None]:
    files: list[UploadedFile] = []
    first_error: NodeError | None = None
    try:
        async for file in sent:
            try:
                files.append(await run_in_threadpool(_store, receiver, file, len(files)))
                brought(str(files[-1].study_id))
            except NodeError as exc:
                first_error = first_error or exc
                log.info("upload.refused", code=exc.code)
                files.append(UploadedFile(index=len(files), outcome="failed", code=exc.code, detail=str(exc)))
                if isinstance(exc, OutOfResources):
                    break
    except MalformedForm as exc:
        # What was taken before stays taken, and the sender learns of it.
        raise Problem(
            HTTPStatus.BAD_REQUEST, "malformed-form", str(exc), {"files": [f.model_dump() for f in files]}
        ) from exc
    taken = [f for f in files if f.outcome != "failed"]
    studies = list(dict.fromkeys(f.study_id for f in taken if f.study_id))
    return UploadOut(
        taken=len(taken), failed=len(files) - len(taken), studies=studies, files=files
    ), first_error


def _store(receiver: Receiver, file: FormFile, index: int) -> UploadedFile:
    if file.stream is None:
        raise InvalidInstance("the file is too large for an upload; send it by C-STORE or STOW-RS")
    if file.stream.getbuffer()[:8].tobytes().startswith(_PICTURES):
        raise InvalidInstance("PNG and JPEG pictures are not taken yet; upload DICOM files (Part 10)")
    with file.stream:
        receipt = receiver.receive(IncomingInstance(file.stream, "upload"))
    return UploadedFile(index=index, outcome=receipt.outcome.value, study_id=receipt.study_id)


def _nothing_taken(outcome: UploadOut, error: NodeError | None) -> Problem:
    if error is None:
        return Problem(HTTPStatus.BAD_REQUEST, "no-files", "the form holds no file; choose DICOM files")
    status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, TransientError) else status_of(error)
    return Problem(status, error.code, str(error), {"files": [f.model_dump() for f in outcome.files]})
