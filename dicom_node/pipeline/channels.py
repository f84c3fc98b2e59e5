"""The ways to tell a listener: a signed webhook, and DICOM's Instance Availability Notification."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from dicom_node.domain.delivery import DeliveryKey, DeliveryStatus
from dicom_node.domain.errors import NotFound, NotificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from dicom_node.domain.notification import Event, Notification
    from dicom_node.domain.result import ResultEntry
    from dicom_node.ports.delivery import DeliveryStore
    from dicom_node.ports.identity import Vault
    from dicom_node.ports.notification import AvailabilitySender, WebhookSender
    from dicom_node.ports.studies import StudyIndex


#: A function of study id, version and destination: SOP Instance UIDs of what the destination has got.
Delivered = Callable[[str, int, str], Collection[str]]
_TAKEN = (DeliveryStatus.SENT, DeliveryStatus.CONFIRMED)


def delivered_by(deliveries: DeliveryStore) -> Delivered:
    """What a destination has got, by the deliveries' own record."""

    def delivered(study_id: str, version: int, destination: str) -> Collection[str]:
        objects = deliveries.objects(DeliveryKey(study_id, version, destination))
        return {each.sop_instance_uid for each in objects if each.status in _TAKEN}

    return delivered


class WebhookChannel:
    """Tells by HTTP; the body is made with the event, so that every try sends the same bytes.

    Parameters
    ----------
    base_url
        Of this node as the listener reaches it; empty: links are paths.
    """

    def __init__(
        self, sender: WebhookSender, index: StudyIndex, delivered: Delivered, base_url: str = ""
    ) -> None:
        self._sender = sender
        self._index = index
        self._delivered = delivered
        self._base_url = base_url.rstrip("/")

    def body(self, event: Event, at: datetime) -> str:
        """See `Channel.body`; UIDs are pseudonymous."""
        study = self._index.study(event.study_id)
        results = _told(self._index, self._delivered, event.study_id, event.version, event.destination)
        kinds = Counter(entry.kind.value for entry in results)
        data: dict[str, Any] = {
            "study": {
                "id": study.id,
                "study_instance_uid": study.study_instance_uid,
                "version": event.version,
                "modalities": list(study.modalities),
                "body_part": study.body_part,
            },
            "received": {"instances": study.received_instances, "bytes": study.received_bytes},
            "results": {"count": kinds.total(), "kinds": dict(sorted(kinds.items()))},
            "links": {
                "study": f"{self._base_url}/api/studies/{study.id}",
                "dicomweb": f"{self._base_url}/dicom-web/studies/{study.study_instance_uid}",
            },
        }
        if event.state is not None:
            data["state"] = event.state.value
        if event.destination is not None:
            data["destination"] = event.destination
        message = {"type": event.kind.value, "timestamp": at.isoformat(), "data": data}
        return json.dumps(message, separators=(",", ":"))

    def send(self, message: Notification, at: datetime) -> None:
        """See `Channel.send`."""
        self._sender.post(message.id, message.body.encode(), at)


class AvailabilityChannel:
    """Tells by N-CREATE which results can be retrieved; identity is looked up for each try, never kept.

    Parameters
    ----------
    original_identity
        Whether the listener knows the study by its original UID.
    """

    def __init__(
        self,
        sender: AvailabilitySender,
        index: StudyIndex,
        delivered: Delivered,
        vault: Vault,
        *,
        original_identity: bool,
    ) -> None:
        self._sender = sender
        self._index = index
        self._delivered = delivered
        self._vault = vault
        self._original_identity = original_identity

    def body(self, event: Event, at: datetime) -> str:
        """See `Channel.body`; nothing need be kept."""
        del event, at
        return "{}"

    def send(self, message: Notification, at: datetime) -> None:
        """See `Channel.send`."""
        del at
        results = _told(self._index, self._delivered, message.study_id, message.version, message.destination)
        if not results:
            raise NotificationFailed("the results have expired; nothing is available any more", final=True)
        uid = self._index.study(message.study_id).study_instance_uid
        if self._original_identity:
            uid = self._original(message.study_id, uid)
        self._sender.tell(message.id, uid, results)

    def _original(self, study_id: str, pseudonym: str) -> str:
        try:
            return self._vault.get(study_id).uids[pseudonym]
        except (NotFound, KeyError) as exc:
            raise NotificationFailed(
                "the vault no longer holds the study's original UID; nobody can be told of it", final=True
            ) from exc


def _told(
    index: StudyIndex, delivered: Delivered, study_id: str, version: int, destination: str | None
) -> Sequence[ResultEntry]:
    """The results of the version; of a destination those that it has got: it may not want every kind."""
    results = index.results(study_id, version)
    if destination is None:
        return results
    there = delivered(study_id, version, destination)
    return [entry for entry in results if entry.sop_instance_uid in there]
