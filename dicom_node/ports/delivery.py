"""Sending results, and keeping track of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from dicom_node.domain.breaker import Breaker
    from dicom_node.domain.delivery import (
        Confirmation,
        DeliveryKey,
        DeliveryObject,
        DeliveryRecord,
        DeliveryStatus,
        OutgoingObject,
        SendReport,
        SentObject,
    )
    from dicom_node.domain.destination import Closing, Destination


class ResultSender(Protocol):
    """Sends objects to one destination."""

    @property
    def destination(self) -> Destination:
        """Where to."""

    def send(
        self, objects: Sequence[OutgoingObject], told: Callable[[str, str | None], None] = ...
    ) -> SendReport:
        """Send objects in their order, each loaded when its turn comes.

        Parameters
        ----------
        told
            Called with the SOP Instance UID of each object once its fate is known: `None` where the
            destination took it, else the reason.

        Raises
        ------
        DeliveryFailed
            If the destination is not there, breaks off, or asks to come back later.
        DeliveryRefused
            If it will not take anything.
        """

    def probe(self) -> None:
        """Ask whether the destination is there, without storing anything.

        Raises
        ------
        DeliveryFailed, DeliveryRefused
        """


class Confirmer(Protocol):
    """Asks one destination what it keeps."""

    def begin(self, objects: Sequence[SentObject]) -> str | None:
        """Ask; return a token by which the answer is known, `None` where none is needed.

        Raises
        ------
        DeliveryFailed, DeliveryRefused
        """

    def look(self, objects: Sequence[SentObject], token: str | None) -> Confirmation:
        """What it says so far.

        Raises
        ------
        DeliveryFailed, DeliveryRefused
        """


class Transcoder(Protocol):
    """Writes objects in another transfer syntax, without loss."""

    def __call__(self, part10: bytes, transfer_syntax_uid: str) -> bytes:
        """The object in this transfer syntax; as it is where that is not possible or would lose anything."""


class DeliveryStore(Protocol):
    """Deliveries, durable on return. Every method may raise `StorageFailure` or `OutOfResources`."""

    def open(self, closing: Closing, deliveries: Mapping[str, Sequence[DeliveryObject]]) -> None:
        """Keep how a version's analysis ended, and queue its deliveries by destination.

        What is there already stays as it is. The version is due to be looked at where nothing is queued.
        """

    def closing(self, study_id: str, version: int) -> Closing | None:
        """How a version's analysis ended, or `None` where it has not."""

    def get(self, key: DeliveryKey) -> DeliveryRecord:
        """One delivery.

        Raises
        ------
        NotFound
        """

    def of_version(self, study_id: str, version: int) -> Sequence[DeliveryRecord]:
        """All deliveries of a version, by destination."""

    def page(
        self,
        *,
        status: DeliveryStatus | None = None,
        destination: str | None = None,
        study_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[DeliveryRecord], str | None]:
        """Deliveries, newest first, and the cursor of the next page.

        Raises
        ------
        NotFound
            If the cursor is none that this gave.
        """

    def objects(self, key: DeliveryKey) -> Sequence[DeliveryObject]:
        """The objects of a delivery in the order of sending."""

    def record(
        self,
        record: DeliveryRecord,
        objects: Sequence[DeliveryObject] = (),
        judged: Callable[[Breaker], Breaker] | None = None,
    ) -> None:
        """Replace what is known of a delivery and of some of its objects; its version is due to be looked at.

        Nothing changes where the delivery was handed over again since.

        Parameters
        ----------
        judged
            Gives the breaker of its destination after this attempt, from what it is by then: other attempts
            may have ended meanwhile.
        """

    def record_objects(self, key: DeliveryKey, objects: Sequence[DeliveryObject]) -> None:
        """Replace what is known of some objects while the attempt goes on."""

    def waiting(self, now: datetime) -> Collection[str]:
        """Destinations that have deliveries which are due and not with the engine."""

    def dispatch(self, destination: str, allowance: int, now: datetime) -> Sequence[DeliveryRecord]:
        """Take due deliveries for the engine, so that no more than `allowance` are with it.

        One that waits for an older version of the same study stays.
        """

    def dispatched(self, before: datetime) -> Sequence[DeliveryRecord]:
        """Deliveries that have been with the engine since then."""

    def queued(self, destination: str, since: datetime) -> Sequence[DeliveryRecord]:
        """Deliveries that are not with the engine and whose round began then or before."""

    def release(self, key: DeliveryKey, number: int) -> None:
        """Take a delivery back from the engine, without an attempt; nothing happens where it moved on."""

    def due_closings(self, now: datetime) -> Sequence[tuple[str, int, int]]:
        """Take versions that are due to be looked at: (study id, version, number of the look)."""

    def dispatched_closings(self, before: datetime) -> Sequence[tuple[str, int, int]]:
        """Versions that have been with the engine since then."""

    def release_closings(self, looked_at: Sequence[tuple[str, int, int, datetime | None]]) -> None:
        """Versions were looked at: (study id, version, number of the look, when they are due again).

        Without a time one is due again once something changes.
        """

    def breaker(self, destination: str) -> Breaker:
        """How a destination does; closed where nothing is known."""

    def breakers(self) -> Sequence[Breaker]:
        """All that are known, by name."""

    def set_breaker(self, breaker: Breaker) -> None:
        """Replace what is known of a destination."""

    def claim_probe(self, destination: str, now: datetime, until: datetime) -> bool:
        """Whether this caller makes the probe that is due; nobody else may before `until`."""

    def retry(self, keys: Iterable[DeliveryKey], now: datetime) -> int:
        """Queue dead letters again; what was taken stays taken. Returns how many."""

    def discard(self, keys: Iterable[DeliveryKey], now: datetime, reason: str) -> int:
        """End dead letters and waiting deliveries for good, as not needed. Returns how many."""

    def counts(self) -> Mapping[str, Mapping[DeliveryStatus, int]]:
        """How many deliveries of each destination stand in each status."""


class DeliveryDesk(Protocol):
    """What a person sees of deliveries, and decides; as API, command and pages call it."""

    @property
    def destinations(self) -> Sequence[Destination]:
        """Those that are configured, in their order."""

    def page(
        self,
        *,
        status: DeliveryStatus | None = None,
        destination: str | None = None,
        study_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[DeliveryRecord], str | None]:
        """As `DeliveryStore.page`."""

    def objects(self, key: DeliveryKey) -> Sequence[DeliveryObject]:
        """The objects of a delivery.

        Raises
        ------
        NotFound
        """

    def breakers(self) -> Mapping[str, Breaker]:
        """How each configured destination does."""

    def counts(self) -> Mapping[str, Mapping[DeliveryStatus, int]]:
        """How many deliveries of each destination stand in each status."""

    def retry(self, study_id: str | None, destination: str | None, person: str) -> int:
        """Queue dead letters again: all, of a study, of a destination; return how many.

        Raises
        ------
        NotFound
            If a study or destination is named that has none.
        Conflict
            If the only ones that are named cannot go: their destination is gone, a newer version was
            delivered, or the results are no longer kept.
        """

    def discard(self, study_id: str | None, destination: str | None, person: str) -> int:
        """End dead letters for good; of a destination that is gone, those that wait too.

        Raises
        ------
        NotFound, Conflict
        """

    def send(self, study_id: str, destination: str, person: str) -> DeliveryRecord:
        """Deliver the results of a study's current version to a destination that has not got them.

        Raises
        ------
        NotFound
            If study or destination is unknown.
        Conflict
            If there are no results, or they are on their way or there already.
        """
