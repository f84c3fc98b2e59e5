"""Senders to the configured destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from dicom_node.app.access import build_access
from dicom_node.app.peers import build_address, find_peer
from dicom_node.dimse.result_sender import DimseSender
from dicom_node.domain.destination import Confirm, DeliveryFilter, Destination
from dicom_node.domain.errors import ConfigurationError
from dicom_node.domain.result import ResultKind
from dicom_node.domain.study import StudyState
from dicomweb.client.retry import Retry
from dicomweb.client.store import StowSender

if TYPE_CHECKING:
    from dicom_node.ports.delivery import ResultSender
    from dicom_node.settings import Settings
    from dicom_node.settings_delivery import DestinationSettings

_TRANSFER_SYNTAXES: Final = {
    "as-made": None,
    "explicit": str(ExplicitVRLittleEndian),
    "implicit": str(ImplicitVRLittleEndian),
    "jpeg-ls": str(JPEGLSLossless),
    "jpeg-2000": str(JPEG2000Lossless),
    "rle": str(RLELossless),
}


def build_senders(settings: Settings) -> tuple[ResultSender, ...]:
    """One sender for each destination, in the order of the configuration."""
    return tuple(_sender(settings, destination) for destination in settings.destinations)


def build_destination(configured: DestinationSettings) -> Destination:
    """A destination as it is configured."""
    when = configured.when
    return Destination(
        name=configured.name,
        original_identity=configured.identity == "original",
        max_attempts=configured.max_attempts,
        max_age_s=configured.max_age_s,
        backoff_s=configured.backoff_s,
        max_backoff_s=configured.max_backoff_s,
        concurrency=configured.concurrency,
        kinds=frozenset(map(ResultKind, configured.results)),
        when=DeliveryFilter(
            modality=frozenset(when.modality),
            body_part=frozenset(when.body_part),
            model=frozenset(when.model),
            source=frozenset(when.source),
            states=frozenset(map(StudyState, when.state)),
        ),
        transfer_syntax=_TRANSFER_SYNTAXES[configured.transfer_syntax],
        confirm=Confirm(configured.confirm),
        confirm_timeout_s=configured.confirm_timeout_s,
        breaker_failures=configured.breaker_failures,
        breaker_open_s=configured.breaker_open_s,
    )


def _sender(settings: Settings, configured: DestinationSettings) -> ResultSender:
    destination = build_destination(configured)
    if configured.kind == "dimse":
        return DimseSender(destination, build_address(settings, find_peer(settings, configured.peer or "")))
    if configured.url is None:
        raise ConfigurationError(f"destination {configured.name}: kind stow needs `url`")
    return StowSender(
        destination,
        url=configured.url,
        timeout_s=settings.dimse.timeout_s,
        access=build_access(f"destination {configured.name}", configured.access),
        # What failed is tried again by the delivery's own queue, which keeps the wait that is asked for.
        retry=Retry(attempts=1),
    )
