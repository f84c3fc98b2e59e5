"""What a person sees of deliveries, and decides about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.delivery import DeliveryKey, DeliveryRecord, DeliveryStatus
from dicom_node.domain.destination import Closing
from dicom_node.domain.errors import Conflict, NotFound
from dicom_node.domain.study import StudyState
from dicom_node.pipeline.check import load_result
from dicom_node.pipeline.deliver import gone, sender_named
from dicom_node.pipeline.deliver_plan import in_order, objects_for, own_uids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dicom_node.domain.breaker import Breaker
    from dicom_node.domain.delivery import DeliveryObject
    from dicom_node.domain.destination import Destination
    from dicom_node.pipeline.services import Services

_PAGE = 1000


class DeliveryDesk:
    """`ports.DeliveryDesk`; every decision is in the audit log.

    Parameters
    ----------
    changed
        Called when there is something new to hand over.
    """

    def __init__(self, services: Services, changed: Callable[[], object]) -> None:
        self._services = services
        self._store = services.deliveries
        self._changed = changed

    @property
    def destinations(self) -> Sequence[Destination]:
        """See `ports.DeliveryDesk.destinations`."""
        return tuple(sender.destination for sender in self._services.senders)

    def page(
        self,
        *,
        status: DeliveryStatus | None = None,
        destination: str | None = None,
        study_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[Sequence[DeliveryRecord], str | None]:
        """See `ports.DeliveryDesk.page`."""
        return self._store.page(
            status=status, destination=destination, study_id=study_id, limit=limit, cursor=cursor
        )

    def objects(self, key: DeliveryKey) -> Sequence[DeliveryObject]:
        """See `ports.DeliveryDesk.objects`."""
        self._store.get(key)
        return self._store.objects(key)

    def breakers(self) -> Mapping[str, Breaker]:
        """See `ports.DeliveryDesk.breakers`."""
        return {each.name: self._store.breaker(each.name) for each in self.destinations}

    def counts(self) -> Mapping[str, Mapping[DeliveryStatus, int]]:
        """See `ports.DeliveryDesk.counts`."""
        return self._store.counts()

    def retry(self, study_id: str | None, destination: str | None, person: str) -> int:
        """See `ports.DeliveryDesk.retry`."""
        found = list(self._dead(study_id, destination))
        refusals = {record.key: self._refusal(record) for record in found}
        good = [key for key, refusal in refusals.items() if refusal is None]
        if not good:
            raise Conflict("; ".join(sorted({text for text in refusals.values() if text})))
        for key in good:
            sender = sender_named(self._services, key.destination)
            if sender is not None and not self._store.objects(key):
                # An earlier version of the node kept the delivery without them.
                self._queue(key, sender.destination)
        count = self._store.retry(good, self._services.clock.now())
        for name in {key.destination for key in good}:
            # Whoever retries by hand has looked after the destination.
            self._store.set_breaker(self._store.breaker(name).hurried(self._services.clock.now()))
        self._record("deliveries.retried", study_id, destination, person, count)
        self._changed()
        return count

    def discard(self, study_id: str | None, destination: str | None, person: str) -> int:
        """See `ports.DeliveryDesk.discard`."""
        keys = [record.key for record in self._dead(study_id, destination)]
        count = self._store.discard(keys, self._services.clock.now(), "discarded by a person")
        self._record("deliveries.discarded", study_id, destination, person, count)
        self._changed()
        return count

    def send(self, study_id: str, destination: str, person: str) -> DeliveryRecord:
        """See `ports.DeliveryDesk.send`."""
        sender = sender_named(self._services, destination)
        if sender is None:
            raise NotFound(f"no destination {destination} is configured; add it to `destinations`")
        study = self._services.index.study(study_id)
        if not study.results or study.state not in {StudyState.DONE, StudyState.REJECTED}:
            raise Conflict("the study has no results to deliver; wait for its end, or see its reason")
        key = DeliveryKey(study_id, study.version, destination)
        if any(record.key == key for record in self._store.of_version(study_id, study.version)):
            raise Conflict(
                f"the results went to {destination} already, or are on their way;"
                " `dicom-node deliveries list` shows how they stand"
            )
        count = self._queue(key, sender.destination)
        self._record("deliveries.sent", study_id, destination, person, count)
        self._changed()
        return self._store.get(key)

    def _dead(self, study_id: str | None, destination: str | None) -> Iterator[DeliveryRecord]:
        """Dead letters; raises NotFound where there is none."""
        cursor: str | None = None
        none = True
        while True:
            page, cursor = self._store.page(
                status=DeliveryStatus.FAILED,
                destination=destination,
                study_id=study_id,
                limit=_PAGE,
                cursor=cursor,
            )
            none = none and not page
            yield from page
            if cursor is None:
                break
        if none:
            raise NotFound("no such delivery was given up; `dicom-node deliveries list` shows all")

    def _refusal(self, record: DeliveryRecord) -> str | None:
        """Why a dead letter cannot be retried, or `None` where it can."""
        key = record.key
        if sender_named(self._services, key.destination) is None:
            return gone(key.destination)
        if not self._services.index.results(key.study_id, key.version):
            return "the results are no longer kept; discard the delivery"
        newer, _ = self._store.page(study_id=key.study_id, destination=key.destination)
        taken = {DeliveryStatus.SENT, DeliveryStatus.CONFIRMED}
        if any(other.key.version > key.version and other.status in taken for other in newer):
            return "a newer version of the study was delivered there; discard the older one"
        return None

    def _queue(self, key: DeliveryKey, destination: Destination) -> int:
        """Queue all that a destination gets of a version; what is queued already stays as it is."""
        services = self._services
        entries = services.index.results(key.study_id, key.version)
        uids = {entry.sop_instance_uid: services.gate.uids(load_result(services, entry)) for entry in entries}
        objects = objects_for(destination, in_order(entries, uids))
        if not objects:
            raise Conflict(f"the study has no results of the kinds that {destination.name} gets")
        study = services.index.study(key.study_id)
        # What an earlier version of the node wrote there is told from the deliveries themselves now.
        reason = (study.reason or "").partition("not delivered to ")[0].rstrip("; ") or None
        own = own_uids(services, key.study_id, key.version, uids)
        state = study.state if study.state is StudyState.REJECTED else StudyState.DONE
        now = services.clock.now()
        closing = Closing(key.study_id, key.version, state, reason, own, now)
        self._store.open(closing, {destination.name: objects})
        return len(objects)

    def _record(
        self, event: str, study_id: str | None, destination: str | None, person: str, count: int
    ) -> None:
        self._services.audit.record(
            event, study_id=study_id, destination=destination, person=person, count=count
        )
