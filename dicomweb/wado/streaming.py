"""Responses whose body is made while it is sent."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from dicom_node.domain.errors import NodeError
from dicomweb.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from starlette.types import Receive, Scope, Send


class _Interrupted(Exception):
    """The body ended before its end."""


class StreamedResponse(StreamingResponse):
    """A body from an iterator that runs in worker threads.

    Where making it fails, status and headers are out already: the connection is closed before the end of
    the body, which the client sees as an incomplete message, and the failure is logged.
    """

    def __init__(
        self, pieces: Iterator[bytes], headers: Mapping[str, str], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        super().__init__(_guarded(pieces), status, headers=dict(headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; nothing more is sent once making it failed."""
        try:
            await super().__call__(scope, receive, send)
        except _Interrupted:
            return
        except ExceptionGroup as group:
            if group.split(_Interrupted)[1] is not None:
                raise


async def _guarded(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made while the one before it is sent."""
    coming = asyncio.ensure_future(run_in_threadpool(next, pieces, None))
    try:
        while (piece := await coming) is not None:
            coming = asyncio.ensure_future(run_in_threadpool(next, pieces, None))
            yield piece
    except (NodeError, Problem) as exc:
        structlog.get_logger().warning("dicomweb_interrupted", service="wado", code=exc.code)
        raise _Interrupted from None
    finally:
        # A client that went away: what is being made in a thread ends, and then its files are closed.
        coming.add_done_callback(lambda done: done.cancelled() or done.exception())
