"""Event reports to subscribers: over a WebSocket, and as server-sent events.

Events are queued with the change that caused them, so a subscriber that was away gets them when it comes
back. Several connections of one AE title all get what comes while they are open.

References
----------
PS3.18 §8.10.4 (Open Notification Connection), §8.10.5 (Send Event Report), §11.13; RFC 6455; HTML Standard
§9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import structlog
from fastapi.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from dicom_node.domain.errors import InternalError, NodeError
from dicomweb.ups.encoding import event_report

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.websockets import WebSocket

    from dicom_node.domain.workitem_events import QueuedEvent
    from dicom_node.pipeline.worklist import WorklistService

#: Seconds between two looks for events that another process queued.
LOOK_S: Final = 2.0
#: Seconds between two comments that keep a quiet stream of server-sent events open.
KEEP_ALIVE_S: Final = 15.0
_CLOSED_BY_FAULT: Final = 1011


async def follow(
    service: WorklistService, ae_title: str, after: int | None = None
) -> AsyncGenerator[QueuedEvent | None]:
    """The events of a subscriber, those first that nobody received; `None` now and then where none come.

    It ends when the node goes down and all were sent. An event counts as received when the next is asked
    for.

    Parameters
    ----------
    after
        The id of the last event that is no matter of this connection; by default what was received before.
    """
    loop, woken = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closing
            loop.call_soon_threadsafe(woken.set)

    stop = service.signal.listen(wake)
    try:
        if after is None:
            after = await run_in_threadpool(service.store.undelivered, ae_title)
        while True:
            woken.clear()
            found = await run_in_threadpool(service.store.events, ae_title, after)
            for queued in found:
                yield queued
                after = max(after, queued.id)
                await run_in_threadpool(service.store.delivered, [queued.id])
            if not found and service.signal.closed:
                return
            if not found:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), LOOK_S)
                yield None
    finally:
        stop()


async def serve_websocket(websocket: WebSocket, service: WorklistService, ae_title: str) -> None:
    """Send event reports until the peer goes; what it sends is not looked at."""
    # Before the peer knows that it is connected: whatever comes from then on is for this connection too.
    try:
        after = await run_in_threadpool(service.store.undelivered, ae_title)
    except NodeError as exc:
        structlog.get_logger().warning("worklist.notification_failed", code=exc.code, reason=str(exc))
        await websocket.close()
        return
    await websocket.accept()
    sender = asyncio.create_task(_send(websocket, service, ae_title, after))
    receiver = asyncio.create_task(_until_gone(websocket))
    try:
        await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, receiver):
            task.cancel()
        await asyncio.gather(sender, receiver, return_exceptions=True)


async def _send(websocket: WebSocket, service: WorklistService, ae_title: str, after: int) -> None:
    try:
        async with contextlib.aclosing(follow(service, ae_title, after)) as events:
            async for queued in events:
                if queued is not None:
                    await websocket.send_text(event_report(queued))
    except (WebSocketDisconnect, RuntimeError):
        return  # the peer is gone; what it did not get stays queued
    except Exception as exc:  # noqa: BLE001 (the protocol edge)
        error = exc if isinstance(exc, NodeError) else InternalError.of(exc)
        structlog.get_logger().warning("worklist.notification_failed", code=error.code, reason=str(error))
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await websocket.close(_CLOSED_BY_FAULT)


async def _until_gone(websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return


async def event_stream(service: WorklistService, ae_title: str) -> AsyncIterator[str]:
    """The same events as server-sent events."""
    yield "retry: 2000\n\n"
    quiet = 0.0
    async with contextlib.aclosing(follow(service, ae_title)) as events:
        async for queued in events:
            if queued is not None:
                quiet = 0.0
                yield f"id: {queued.id}\ndata: {event_report(queued)}\n\n"
                continue
            quiet += LOOK_S
            if quiet >= KEEP_ALIVE_S:
                quiet = 0.0
                yield ": waiting\n\n"
