"""UPS-RS routes.

References
----------
PS3.18 §11.3 (transactions), Table 11.1.1-1 (resources).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, WebSocket
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from dicom_node.domain import workitem as ups
from dicom_node.domain.errors import NodeError, NotFound
from dicom_node.domain.workitem import WorkitemRefused, WorkitemState
from dicom_node.pipeline.worklist import check_ae_title
from dicomweb.errors import bad_request, not_acceptable
from dicomweb.media_types import negotiate, parse_accept
from dicomweb.routing import accept_of, path_uid, route_class, service_root
from dicomweb.ups.access import check_host
from dicomweb.ups.encoding import OFFERS, respond, row, whole
from dicomweb.ups.notifications import event_stream, serve_websocket
from dicomweb.ups.parameters import parse_search, query_uid
from dicomweb.ups.payload import read_model
from dicomweb.ups.refusals import Transaction, problem_of_refusal
from dicomweb.ups.subscriptions import Subscriptions, ae_title_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dicom_node.pipeline.worklist import WorklistService
    from dicom_node.ports.operation import Metrics

EVENT_STREAM: Final = "text/event-stream"
_UNKNOWN_AE: Final = "UNKNOWN"


def create_ups_router(
    service: WorklistService | None, metrics: Metrics, agent: str, hosts: Collection[str]
) -> APIRouter:
    """The router of the worklist service.

    Parameters
    ----------
    service
        `None`: this node has no worklist, and every resource answers 404.
    agent
        Names the service in Warning headers.
    hosts
        Names besides loopback ones under which it answers.
    """
    router = APIRouter(route_class=route_class("ups", metrics), include_in_schema=False)
    edge = _Edge(service, agent, hosts)
    subscriptions = Subscriptions(edge.worklist)
    router.post("/workitems")(edge.create)
    router.get("/workitems")(edge.search)
    router.get("/workitems/{workitem}")(edge.retrieve)
    router.post("/workitems/{workitem}")(edge.update)
    router.put("/workitems/{workitem}/state")(edge.change_state)
    router.put("/workitems/{workitem}/state/{requester}")(edge.change_state)
    router.post("/workitems/{workitem}/cancelrequest")(edge.request_cancellation)
    router.post("/workitems/{workitem}/cancelrequest/{requester}")(edge.request_cancellation)
    router.post("/workitems/{workitem}/subscribers/{aetitle}")(subscriptions.subscribe)
    router.delete("/workitems/{workitem}/subscribers/{aetitle}")(subscriptions.unsubscribe)
    router.post("/workitems/{workitem}/subscribers/{aetitle}/suspend")(subscriptions.suspend)
    router.get("/subscribers/{aetitle}")(edge.stream)
    router.add_api_websocket_route("/subscribers/{aetitle}", _endpoint(edge))
    return router


def _endpoint(edge: _Edge) -> Callable[[WebSocket], Any]:
    async def connect(websocket: WebSocket) -> None:
        try:
            service = edge.worklist(websocket)
            ae_title = check_ae_title(str(websocket.path_params["aetitle"]))
        except NodeError:
            await websocket.close()  # before it is accepted: 403
            return
        await serve_websocket(websocket, service, ae_title)

    return connect


class _Edge:
    def __init__(self, service: WorklistService | None, agent: str, hosts: Collection[str]) -> None:
        self._service = service
        self._agent = agent
        self._hosts = hosts

    def worklist(self, connection: Request | WebSocket) -> WorklistService:
        """The service, for who may reach it.

        Raises
        ------
        NotAuthorised, NotFound
        """
        check_host(connection, self._hosts)
        if self._service is None:
            raise NotFound("this node keeps no worklist")
        return self._service

    async def create(self, request: Request) -> Response:
        service = self.worklist(request)
        uid = query_uid(request, "workitem", "AffectedSOPInstanceUID")
        model = await read_model(request)
        named = ups.first(model, ups.SOP_INSTANCE_UID)
        if uid is not None and named not in {None, uid}:
            raise bad_request("SOPInstanceUID (0008,0018) and the UID in the query differ; give one")
        try:
            made = await run_in_threadpool(service.create, model, uid or named)
        except WorkitemRefused as exc:
            raise problem_of_refusal(exc, Transaction.CREATE, self._agent) from exc
        location = f"{service_root(request)}/workitems/{made.item.uid}"
        return self._done(
            HTTPStatus.CREATED, made.warnings, Location=location, **{"Content-Location": location}
        )

    async def retrieve(self, request: Request) -> Response:
        service = self.worklist(request)
        offer = negotiate(accept_of(request), OFFERS)
        item = await run_in_threadpool(service.get, path_uid(request, "workitem"))
        root = service_root(request)
        where = [("Content-Location", f"{root}/workitems/{item.uid}")]
        return respond([whole(item.attributes, root)], offer, HTTPStatus.OK, where)

    async def search(self, request: Request) -> Response:
        service = self.worklist(request)
        offer = negotiate(accept_of(request), OFFERS[:3])
        asked = parse_search(request.query_params.multi_items())
        try:
            page = await run_in_threadpool(service.search, asked.query)
        except ValueError as exc:
            raise bad_request(str(exc)) from exc
        if not page.items:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        remaining = page.total - asked.query.offset - len(page.items)
        status, headers = HTTPStatus.OK, []
        if remaining > 0:
            text = f"There are {remaining} additional results that can be requested"
            status, headers = HTTPStatus.PARTIAL_CONTENT, [("Warning", f"299 {self._agent}: {text}")]
        root = service_root(request)
        rows = [row(item.attributes, asked.include, root) for item in page.items]
        return respond(rows, offer, status, headers)

    async def update(self, request: Request) -> Response:
        service = self.worklist(request)
        uid = path_uid(request, "workitem")
        transaction = query_uid(request, "transaction-uid", "transaction", "TransactionUID", "00081195")
        model = await read_model(request)
        named = ups.first(model, ups.TRANSACTION_UID)
        if transaction is not None and named not in {None, transaction}:
            raise bad_request("the Transaction UID of the query and that of the data set differ; give one")
        try:
            made = await run_in_threadpool(service.update, uid, model, transaction or named)
        except WorkitemRefused as exc:
            raise problem_of_refusal(exc, Transaction.UPDATE, self._agent) from exc
        where = f"{service_root(request)}/workitems/{uid}"
        return self._done(HTTPStatus.OK, made.warnings, **{"Content-Location": where})

    async def change_state(self, request: Request) -> Response:
        service = self.worklist(request)
        uid = path_uid(request, "workitem")
        named = "requester" in request.path_params
        requester = ae_title_of(request, "requester") if named else None
        model = await read_model(request)
        try:
            target = WorkitemState(str(ups.first(model, ups.STATE)))
        except ValueError as exc:
            raise bad_request(
                "ProcedureStepState (0074,1000) must be IN PROGRESS, COMPLETED or CANCELED"
            ) from exc
        transaction = ups.first(model, ups.TRANSACTION_UID)
        try:
            made = await run_in_threadpool(service.change_state, uid, target, transaction, requester)
        except WorkitemRefused as exc:
            raise problem_of_refusal(exc, Transaction.CHANGE_STATE, self._agent) from exc
        return self._done(HTTPStatus.OK, made.warnings)

    async def request_cancellation(self, request: Request) -> Response:
        service = self.worklist(request)
        uid = path_uid(request, "workitem")
        named = "requester" in request.path_params
        requester = ae_title_of(request, "requester") if named else _UNKNOWN_AE
        model = await read_model(request, optional=True)
        try:
            made = await run_in_threadpool(service.request_cancellation, uid, model, requester)
        except WorkitemRefused as exc:
            raise problem_of_refusal(exc, Transaction.CANCEL, self._agent) from exc
        return self._done(HTTPStatus.ACCEPTED, made.warnings)

    async def stream(self, request: Request) -> Response:
        service = self.worklist(request)
        ae_title = ae_title_of(request, "aetitle")
        ranges = parse_accept(accept_of(request))
        if not any(wanted.name in {EVENT_STREAM, "text/*", "*/*"} for wanted in ranges):
            raise not_acceptable(f"open a WebSocket here, or accept {EVENT_STREAM}")
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(event_stream(service, ae_title), media_type=EVENT_STREAM, headers=headers)

    def _done(self, status: HTTPStatus, warnings: tuple[str, ...], **headers: str) -> Response:
        response = Response(status_code=status, headers=headers)
        for text in warnings:
            response.headers.append("Warning", f"299 {self._agent}: {text}")
        return response
