"""Senders to the configured destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.access import build_access
from dicom_node.app.peers import build_address
from dicom_node.dimse.scu import DimseSender
from dicom_node.domain.delivery import Destination
from dicom_node.domain.errors import ConfigurationError
from dicomweb.client.store import StowSender

if TYPE_CHECKING:
    from dicom_node.ports.delivery import ResultSender
    from dicom_node.settings import Settings
    from dicom_node.settings_delivery import DestinationSettings


def build_senders(settings: Settings) -> tuple[ResultSender, ...]:
    """One sender for each destination, in the order of the configuration."""
    return tuple(_sender(settings, destination) for destination in settings.destinations)


def _sender(settings: Settings, configured: DestinationSettings) -> ResultSender:
    destination = Destination(
        name=configured.name,
        original_identity=configured.identity == "original",
        max_attempts=configured.max_attempts,
    )
    if configured.kind == "stow":
        if configured.url is None:
            raise ConfigurationError(f"destination {configured.name}: kind stow needs `url`")
        return StowSender(
            destination,
            url=configured.url,
            timeout_s=settings.dimse.timeout_s,
            access=build_access(f"destination {configured.name}", configured.access),
        )
    for peer in settings.dimse.peers:
        if peer.name == configured.peer:
            return DimseSender(destination, build_address(settings, peer))
    raise ConfigurationError(f"destination {configured.name}: peer {configured.peer!r} is not in dimse.peers")
