"""How the node calls its DICOM peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.dimse.association import Address

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from dicom_node.settings_dimse import PeerSettings


def build_address(settings: Settings, peer: PeerSettings) -> Address:
    """Whom to call, as whom, and how."""
    return Address(
        peer.host,
        peer.port,
        peer.ae_title,
        settings.dimse.ae_title,
        timeout_s=settings.dimse.timeout_s,
    )
