"""Who is told of events, from the settings."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from dicom_node.app.peers import build_address
from dicom_node.dimse.availability import AvailabilityScu
from dicom_node.domain.errors import ConfigurationError
from dicom_node.domain.notification import EventKind, Listener
from dicom_node.pipeline.channels import AvailabilityChannel, WebhookChannel, delivered_by
from dicom_node.pipeline.notify import Notifier, Outlet
from dicom_node.pipeline.polling import PollingThread
from dicom_node.webhooks.sender import Endpoint, HttpWebhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.notify import Channel
    from dicom_node.ports.delivery import DeliveryStore
    from dicom_node.ports.identity import Pseudonymizer, Vault
    from dicom_node.ports.notification import NotificationStore
    from dicom_node.ports.operation import AuditLog, Clock, Metrics
    from dicom_node.ports.studies import StudyIndex
    from dicom_node.settings import Settings
    from dicom_node.settings_notifications import NotificationSettings

#: Seconds between two looks for messages that are due.
LOOK_S = 1.0


def build_notifier(
    settings: Settings,
    *,
    store: NotificationStore,
    index: StudyIndex,
    vault: Vault,
    deliveries: DeliveryStore,
    uids: Pseudonymizer,
    clock: Clock,
    audit: AuditLog,
    metrics: Metrics,
) -> Notifier:
    """The notifier with a way to each listener; nothing is sent yet.

    Raises
    ------
    ConfigurationError
        If a listener names what is not there.
    """
    delivered = delivered_by(deliveries)

    def channel(configured: NotificationSettings) -> Channel:
        if configured.kind == "webhook":
            webhook = HttpWebhook(_endpoint(configured))
            return WebhookChannel(webhook, index, delivered, configured.base_url)
        peer = next((p for p in settings.dimse.peers if p.name == configured.peer), None)
        if peer is None:
            raise ConfigurationError(
                f"notification {configured.name}: peer {configured.peer!r} is not in dimse.peers"
            )
        original = any(d.name == configured.of and d.identity == "original" for d in settings.destinations)
        sender = AvailabilityScu(
            build_address(settings, peer), _retrieve_ae_title(settings, configured), uids.derived_uid
        )
        return AvailabilityChannel(sender, index, delivered, vault, original_identity=original)

    outlets = [Outlet(_listener(configured), channel(configured)) for configured in settings.notifications]
    return Notifier(outlets, store, clock, audit, metrics)


def build_threads(notifier: Notifier) -> tuple[PollingThread, ...]:
    """One for each listener, so that one who does not answer holds nobody else up."""
    return tuple(
        PollingThread(f"notify {name}", partial(notifier.send_due, name), every_s=LOOK_S)
        for name in notifier.listeners
    )


def _listener(configured: NotificationSettings) -> Listener:
    return Listener(
        name=configured.name,
        events=frozenset(EventKind(name) for name in configured.events),
        of=configured.of,
        max_age_s=configured.max_age_h * 3600,
    )


def _retrieve_ae_title(settings: Settings, configured: NotificationSettings) -> str:
    if configured.retrieve_ae_title is not None:
        return configured.retrieve_ae_title
    if configured.of is None:
        return settings.dimse.ae_title
    peers = {peer.name: peer.ae_title for peer in settings.dimse.peers}
    for destination in settings.destinations:
        if destination.name == configured.of and destination.peer in peers:
            return peers[str(destination.peer)]
    raise ConfigurationError(
        f"notification {configured.name}: destination {configured.of} has no AE title; set retrieve_ae_title"
    )


def _endpoint(configured: NotificationSettings) -> Endpoint:
    return Endpoint(
        name=configured.name,
        url=str(configured.url),
        secret=_secret(configured),
        ca_file=configured.ca_file,
        certificate_file=configured.certificate_file,
        key_file=configured.key_file,
        allow_link_local=configured.allow_link_local,
        timeout_s=configured.timeout_s,
    )


def _secret(configured: NotificationSettings) -> Callable[[], str]:
    file = configured.secret_file
    if file is None:
        return lambda: os.environ.get(str(configured.secret_variable), "")

    def read() -> str:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(
                f"notification {configured.name}: secret_file cannot be read ({type(exc).__name__})"
            ) from exc

    return read
