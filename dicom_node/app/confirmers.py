"""Who asks each destination what it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.access import build_access
from dicom_node.app.peers import build_address, find_peer
from dicom_node.dimse.find_confirmer import FindConfirmer
from dicomweb.client.confirming import QidoConfirmer

if TYPE_CHECKING:
    from dicom_node.ports.delivery import Confirmer
    from dicom_node.settings import Settings


def build_confirmers(settings: Settings) -> dict[str, Confirmer]:
    """One for each destination that is asked, by its name."""
    confirmers: dict[str, Confirmer] = {}
    for configured in settings.destinations:
        if configured.confirm != "query":
            continue
        if configured.kind == "stow" and configured.url is not None:
            confirmers[configured.name] = QidoConfirmer(
                configured.name,
                url=configured.url,
                timeout_s=settings.dimse.timeout_s,
                access=build_access(f"destination {configured.name}", configured.access),
            )
        else:
            address = build_address(settings, find_peer(settings, configured.peer or ""))
            confirmers[configured.name] = FindConfirmer(configured.name, address)
    return confirmers
