"""Subscribing to work items.

References
----------
PS3.18 §11.10 (Subscribe), §11.11 (Unsubscribe), §11.12 (Suspend Global Subscription); PS3.4 §CC.2.3.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 (FastAPI reads the annotations of handlers)
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from dicom_node.domain.errors import NotFound
from dicom_node.domain.workitem import FILTERED_WORKLIST_UID, WORKLIST_UID, WorkitemRefused
from dicom_node.pipeline.worklist import check_ae_title
from dicomweb.errors import bad_request
from dicomweb.routing import path_uid, service_root
from dicomweb.ups.parameters import parse_subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.worklist import WorklistService

_WHOLE = frozenset({WORKLIST_UID, FILTERED_WORKLIST_UID})


class Subscriptions:
    """The handlers of subscription resources.

    Parameters
    ----------
    worklist
        The service, for who may reach it.
    """

    def __init__(self, worklist: Callable[[Request], WorklistService]) -> None:
        self._worklist = worklist

    async def subscribe(self, request: Request) -> Response:
        """Subscribe; 201 with the address of the notification connection."""
        service = self._worklist(request)
        uid, ae_title = path_uid(request, "workitem"), ae_title_of(request, "aetitle")
        asked = parse_subscription(request.query_params.multi_items())
        if uid == FILTERED_WORKLIST_UID and not asked.matches:
            raise bad_request("a filtered subscription needs filter=attribute=value (PS3.18 §11.10.1.2)")
        if uid != FILTERED_WORKLIST_UID and asked.matches:
            raise bad_request(f"filter belongs to the filtered worklist, {FILTERED_WORKLIST_UID}")
        try:
            if uid in _WHOLE:
                matches = asked.matches or None
                await run_in_threadpool(
                    service.store.subscribe_worklist, ae_title, lock=asked.lock, matches=matches
                )
            else:
                await run_in_threadpool(service.store.subscribe, uid, ae_title, lock=asked.lock)
        except ValueError as exc:
            raise bad_request(str(exc)) from exc
        channel = f"{service_root(request)}/subscribers/{ae_title}".replace("http", "ws", 1)
        return Response(status_code=HTTPStatus.CREATED, headers={"Content-Location": channel})

    async def unsubscribe(self, request: Request) -> Response:
        """End a subscription."""
        service = self._worklist(request)
        uid, ae_title = path_uid(request, "workitem"), ae_title_of(request, "aetitle")
        if uid in _WHOLE:
            filtered = uid == FILTERED_WORKLIST_UID
            ended = await run_in_threadpool(service.store.unsubscribe_worklist, ae_title, filtered=filtered)
        else:
            ended = await run_in_threadpool(service.store.unsubscribe, uid, ae_title)
        return _ended(ended)

    async def suspend(self, request: Request) -> Response:
        """Subscribe to no further work items."""
        service = self._worklist(request)
        uid, ae_title = path_uid(request, "workitem"), ae_title_of(request, "aetitle")
        if uid not in _WHOLE:
            raise bad_request("only a subscription to the worklist can be suspended; unsubscribe instead")
        filtered = uid == FILTERED_WORKLIST_UID
        return _ended(await run_in_threadpool(service.store.suspend, ae_title, filtered=filtered))


def ae_title_of(request: Request, name: str) -> str:
    """The AE title in the path.

    Raises
    ------
    Problem
        400 if it is none.
    """
    try:
        return check_ae_title(str(request.path_params[name]))
    except WorkitemRefused as exc:
        raise bad_request(str(exc)) from exc


def _ended(there_was_one: bool) -> Response:
    if not there_was_one:
        raise NotFound("there is no such subscription")
    return Response(status_code=HTTPStatus.OK)
