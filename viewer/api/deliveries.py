"""`/api/deliveries`: how results go to their destinations, and what a person decides about dead letters."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.breaker import BreakerState
from dicom_node.domain.delivery import DeliveryKey, DeliveryStatus
from dicom_node.domain.destination import Confirm
from viewer.access import Person, Role, requires
from viewer.api.schemas import ProblemOut
from viewer.problems import Problem, ProblemRoute

if TYPE_CHECKING:
    from dicom_node.domain.breaker import Breaker
    from dicom_node.domain.delivery import DeliveryObject, DeliveryRecord
    from dicom_node.domain.destination import Destination
    from dicom_node.ports.delivery import DeliveryDesk

Operator = Annotated[Person, requires(Role.OPERATOR)]
Name = Annotated[str | None, Query(max_length=64)]
_PROBLEM: dict[str, Any] = {"model": ProblemOut}
_DECIDE: dict[int | str, dict[str, Any]] = {400: _PROBLEM, 403: _PROBLEM, 404: _PROBLEM, 409: _PROBLEM}


class DeliveryOut(BaseModel):
    """All results of a version of a study to one destination."""

    study_id: str
    version: int
    destination: str
    status: DeliveryStatus
    attempts: int
    reason: str | None = Field(description="why it waits or was given up")
    objects: int
    sent: int = Field(description="objects that the destination took")
    confirmed: int = Field(description="objects that it said to keep")
    created_at: datetime
    updated_at: datetime
    next_at: datetime | None = Field(description="when it is tried again; null: at once, or never")
    sent_at: datetime | None
    confirmed_at: datetime | None

    @classmethod
    def of(cls, record: DeliveryRecord) -> DeliveryOut:
        """From the index's record."""
        key = record.key
        named = {"study_id": key.study_id, "version": key.version, "destination": key.destination}
        rest = {name: getattr(record, name) for name in cls.model_fields if name not in named}
        return cls.model_validate(named | rest)


class DeliveryPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: str | None


class ObjectOut(BaseModel):
    """One object of a delivery."""

    sop_instance_uid: str = Field(description="the result's own")
    status: DeliveryStatus
    attempts: int
    sent_at: datetime | None
    confirmed_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, item: DeliveryObject) -> ObjectOut:
        """From the index's record."""
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class DestinationOut(BaseModel):
    """A destination, and how it does."""

    name: str
    identity: str
    confirm: Confirm
    concurrency: int
    breaker: BreakerState = Field(description="open: nothing is tried until a probe passes")
    failures: int = Field(description="in a row")
    opened_at: datetime | None
    probe_at: datetime | None = Field(description="when the next probe is due")
    reason: str | None = Field(description="of the last failure")
    deliveries: dict[DeliveryStatus, int] = Field(description="how many stand in each status")

    @classmethod
    def of(
        cls, destination: Destination, breaker: Breaker, counts: dict[DeliveryStatus, int]
    ) -> DestinationOut:
        """From the configuration and what is known."""
        return cls(
            name=destination.name,
            identity="original" if destination.original_identity else "pseudonymous",
            confirm=destination.confirm,
            concurrency=destination.concurrency,
            breaker=breaker.state,
            failures=breaker.failures,
            opened_at=breaker.opened_at,
            probe_at=breaker.probe_at,
            reason=breaker.reason,
            deliveries=counts,
        )


class DestinationList(BaseModel):
    """Destinations in the order of the configuration."""

    destinations: list[DestinationOut]


class WhichIn(BaseModel):
    """Which dead letters: of a study, of a destination, of both, or all."""

    model_config = ConfigDict(extra="forbid")

    study_id: str | None = Field(default=None, max_length=64)
    destination: str | None = Field(default=None, max_length=64)
    all: bool = Field(default=False, description="must be said where neither is given")


class SendIn(BaseModel):
    """Which results go where."""

    model_config = ConfigDict(extra="forbid")

    study_id: str = Field(max_length=64)
    destination: str = Field(max_length=64)


class DecidedOut(BaseModel):
    """How many deliveries it was about."""

    count: int


def create_router(desk: DeliveryDesk) -> APIRouter:
    """Routes below `/api/deliveries`; the role `operator` is needed to decide."""
    router = APIRouter(prefix="/api/deliveries", tags=["deliveries"], route_class=ProblemRoute)

    @router.get("", responses={404: _PROBLEM})
    def list_deliveries(
        status: Annotated[DeliveryStatus | None, Query(description="`failed`: the dead letters")] = None,
        destination: Name = None,
        study: Annotated[Name, Query(description="only of this study, by its id")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=400)] = None,
    ) -> DeliveryPage:
        """List deliveries, newest first."""
        page, following = desk.page(
            status=status, destination=destination, study_id=study, limit=limit, cursor=cursor
        )
        return DeliveryPage(deliveries=[DeliveryOut.of(record) for record in page], next_cursor=following)

    @router.get("/destinations")
    def destinations() -> DestinationList:
        """List destinations with their circuit breakers."""
        breakers, counts = desk.breakers(), desk.counts()
        return DestinationList(
            destinations=[
                DestinationOut.of(each, breakers[each.name], dict(counts.get(each.name, {})))
                for each in desk.destinations
            ]
        )

    @router.get("/{study_id}/{version}/{destination}/objects", responses={404: _PROBLEM})
    def objects(
        study_id: Annotated[str, Path(max_length=64)],
        version: Annotated[int, Path(ge=1)],
        destination: Annotated[str, Path(max_length=64)],
    ) -> list[ObjectOut]:
        """List the objects of one delivery in the order of sending."""
        return [ObjectOut.of(item) for item in desk.objects(DeliveryKey(study_id, version, destination))]

    @router.post("/retry", responses=_DECIDE)
    def retry(which: WhichIn, person: Operator) -> DecidedOut:
        """Queue dead letters again; what was taken is not sent twice. Audited."""
        _say_which(which)
        return DecidedOut(count=desk.retry(which.study_id, which.destination, person.name))

    @router.post("/discard", responses=_DECIDE)
    def discard(which: WhichIn, person: Operator) -> DecidedOut:
        """End dead letters for good. Audited."""
        _say_which(which)
        return DecidedOut(count=desk.discard(which.study_id, which.destination, person.name))

    @router.post("/send", status_code=HTTPStatus.ACCEPTED, responses=_DECIDE)
    def send(wanted: SendIn, person: Operator) -> DeliveryOut:
        """Deliver a study's results to a destination that has not got them, a new one say. Audited."""
        return DeliveryOut.of(desk.send(wanted.study_id, wanted.destination, person.name))

    return router


def _say_which(which: WhichIn) -> None:
    if which.study_id is None and which.destination is None and not which.all:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "unspecific", "name a study_id or a destination, or say `all: true`"
        )
