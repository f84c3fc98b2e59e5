"""Who asks each destination what it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.access import build_access
from dicom_node.app.commitment import build_requester
from dicom_node.app.peers import build_address, find_peer
from dicom_node.dimse.find_confirmer import FindConfirmer
from dicom_node.pipeline.deliver_commitment import CommitmentConfirmer
from dicomweb.client.confirming import QidoConfirmer

if TYPE_CHECKING:
    from dicom_node.ports.commitment import CommitmentStore
    from dicom_node.ports.delivery import Confirmer
    from dicom_node.settings import Settings
    from dicom_node.settings_delivery import DestinationSettings


def build_confirmers(settings: Settings, commitments: CommitmentStore) -> dict[str, Confirmer]:
    """One for each destination that is asked, by its name."""
    return {
        configured.name: _confirmer(settings, configured, commitments)
        for configured in settings.destinations
        if configured.confirm != "none"
    }


def _confirmer(
    settings: Settings, configured: DestinationSettings, commitments: CommitmentStore
) -> Confirmer:
    if configured.kind == "stow" and configured.url is not None:
        return QidoConfirmer(
            configured.name,
            url=configured.url,
            timeout_s=settings.dimse.timeout_s,
            access=build_access(f"destination {configured.name}", configured.access),
        )
    peer = configured.peer or ""
    if configured.confirm == "commitment":
        return CommitmentConfirmer(build_requester(settings, commitments, peer), commitments)
    return FindConfirmer(configured.name, build_address(settings, find_peer(settings, peer)))
