"""Reading of request bodies within bounds: of size, of number at a time, and of patience.

References
----------
PS3.18 §10.5.3.1 (413, 503), RFC 9110 §15.5.9 (408) and §10.2.3 (Retry-After).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from dicomweb.errors import Problem
from dicomweb.part_spool import MemoryScratch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from dicom_node.ports.stores import ScratchFile

#: Bytes that are handed on at a time: a thread takes them, and that costs the same for few and many.
BLOCK_BYTES = 1024 * 1024
#: Seconds that a request waits for its turn before it is answered 503, and that it is asked to stay away.
QUEUE_S = 5.0
RETRY_BUSY_S = 5


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Bounds on bodies.

    Attributes
    ----------
    max_bytes
        Of one body; a larger one is answered 413.
    at_once
        Bodies that are read at a time; others wait a little, then are answered 503.
    timeout_s
        Seconds for each `BLOCK_BYTES` of a body; a slower one is answered 408.
    open_scratch
        Makes the file that a part goes to which is too large for memory.
    """

    max_bytes: int
    at_once: int = 16
    timeout_s: float = 60.0
    open_scratch: Callable[[], ScratchFile] = MemoryScratch


class Uploads:
    """Lets a bounded number of bodies be read at a time."""

    def __init__(self, limits: UploadLimits) -> None:
        self.limits = limits
        self._places = asyncio.Semaphore(limits.at_once)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one of the places.

        Raises
        ------
        Problem
            503 with Retry-After where none came free in `QUEUE_S`.
        """
        try:
            async with asyncio.timeout(QUEUE_S):
                await self._places.acquire()
        except TimeoutError as exc:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.limits.at_once} bodies are being read already; send this one later,"
                " or raise http.max_uploads",
                code="too-many-uploads",
                headers={"Retry-After": str(RETRY_BUSY_S)},
            ) from exc
        try:
            yield
        finally:
            self._places.release()

    def refuse_large(self, request: Request) -> None:
        """Before anything is read.

        Raises
        ------
        Problem
            413 if Content-Length is over the limit.
        """
        if (announced_bytes(request) or 0) > self.limits.max_bytes:
            raise self._too_large()

    async def blocks(self, request: Request) -> AsyncIterator[bytes]:
        """The body, `BLOCK_BYTES` or a little more at a time; the last block may be shorter.

        Raises
        ------
        Problem
            413 where it becomes too large, 408 where it comes too slowly.
        ClientDisconnect
            If it ends early.
        """
        stream = aiter(request.stream())
        received, ended = 0, False
        while not ended:
            pieces: list[bytes] = []
            size = 0
            try:
                async with asyncio.timeout(self.limits.timeout_s):
                    while size < BLOCK_BYTES:
                        piece = await anext(stream, None)
                        if piece is None:
                            ended = True
                            break
                        pieces.append(piece)
                        size += len(piece)
                        if received + size > self.limits.max_bytes:
                            raise self._too_large()
            except TimeoutError as exc:
                raise Problem(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"less than {BLOCK_BYTES >> 20} MiB came in {self.limits.timeout_s:g} s; send again over"
                    " a faster line, or raise http.upload_timeout_s",
                    code="too-slow",
                ) from exc
            received += size
            if size:
                yield pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self.limits.max_bytes} bytes; send fewer instances a request, or raise"
            " http.max_upload_mb",
            code="too-large",
        )


def announced_bytes(request: Request) -> int | None:
    """What Content-Length says, or `None` where it is absent (a chunked body) or no number."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None
