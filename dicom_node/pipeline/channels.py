"""The ways to tell a listener: a signed webhook, and DICOM's Instance Availability Notification."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from dicom_node.domain.errors import NotFound, NotificationFailed

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.notification import Event, Notification
    from dicom_node.ports.identity import Vault
    from dicom_node.ports.notification import AvailabilitySender, WebhookSender
    from dicom_node.ports.studies import StudyIndex


class WebhookChannel:
    """Tells by HTTP; the body is made with the event, so that every try sends the same bytes.

    Parameters
    ----------
    base_url
        Of this node as the listener reaches it; empty: links are paths.
    """

    def __init__(self, sender: WebhookSender, index: StudyIndex, base_url: str = "") -> None:
        self._sender = sender
        self._index = index
        self._base_url = base_url.rstrip("/")

    def body(self, event: Event, at: datetime) -> str:
        """See `Channel.body`; UIDs are pseudonymous."""
        study = self._index.study(event.study_id)
        kinds = Counter(entry.kind.value for entry in self._index.results(event.study_id, event.version))
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
        self, sender: AvailabilitySender, index: StudyIndex, vault: Vault, *, original_identity: bool
    ) -> None:
        self._sender = sender
        self._index = index
        self._vault = vault
        self._original_identity = original_identity

    def body(self, event: Event, at: datetime) -> str:
        """See `Channel.body`; nothing need be kept."""
        del event, at
        return "{}"

    def send(self, message: Notification, at: datetime) -> None:
        """See `Channel.send`."""
        del at
        results = self._index.results(message.study_id, message.version)
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
