"""The page about deliveries: how each destination does, what waits, and the dead letters."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery import DeliveryStatus
from viewer.dashboard.fragments import unless_known
from viewer.dashboard.wording import Words
from viewer.problems import ProblemRoute

if TYPE_CHECKING:
    from fastapi.responses import HTMLResponse, Response

    from dicom_node.ports.delivery import DeliveryDesk
    from viewer.dashboard.render import Renderer

_PAGE = 50

BREAKERS: dict[BreakerState, Words] = {
    BreakerState.CLOSED: Words("In order", "Deliveries go out."),
    BreakerState.HALF_OPEN: Words("On trial", "It answers again: one delivery goes out, and decides."),
    BreakerState.OPEN: Words(
        "Paused", "It failed several times in a row: nothing is tried until it answers."
    ),
}


class Shown(StrEnum):
    """Which deliveries the list shows."""

    DEAD = "failed"
    WAITING = "pending"
    SENT = "sent"
    CONFIRMED = "confirmed"
    DISCARDED = "discarded"
    ALL = "all"

    @property
    def status(self) -> DeliveryStatus | None:
        """The status that it narrows the list to."""
        return None if self is Shown.ALL else DeliveryStatus(self.value)

    @property
    def words(self) -> str:
        """As people say it."""
        return {Shown.DEAD: "Given up", Shown.WAITING: "Waiting"}.get(self, self.value.capitalize())


Which = Annotated[Shown, Query()]
Name = Annotated[str | None, Query(max_length=64)]
Cursor = Annotated[str | None, Query(max_length=400)]


def create_router(desk: DeliveryDesk, render: Renderer) -> APIRouter:
    """Routes of the page; they hold no identity."""
    router = APIRouter(include_in_schema=False, route_class=ProblemRoute)

    def page(template: str, show: Shown, destination: str | None, cursor: str | None) -> HTMLResponse:
        found, following = desk.page(status=show.status, destination=destination, limit=_PAGE, cursor=cursor)
        counts, breakers = desk.counts(), desk.breakers()
        return render(
            template,
            deliveries=found,
            next_cursor=following,
            cursor=cursor,
            show=show,
            choices=Shown,
            destination=destination,
            destinations=desk.destinations,
            counts=counts,
            breakers=breakers,
            breaker_words=BREAKERS,
            statuses=DeliveryStatus,
            moving=any(record.status is DeliveryStatus.PENDING for record in found),
        )

    @router.get("/deliveries")
    def deliveries(show: Which = Shown.DEAD, destination: Name = None, cursor: Cursor = None) -> HTMLResponse:
        return page("deliveries.html", show, destination, cursor)

    @router.get("/fragments/deliveries")
    def fragment(
        request: Request, show: Which = Shown.DEAD, destination: Name = None, cursor: Cursor = None
    ) -> Response:
        return unless_known(request, page("deliveries_live.html", show, destination, cursor))

    return router
