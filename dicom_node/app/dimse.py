"""The DIMSE server of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.dimse.scp import Peer, StorageScp

if TYPE_CHECKING:
    from dicom_node.app.services import Built
    from dicom_node.ports.ingest import Receiver
    from dicom_node.settings import Settings


def build_scp(settings: Settings, built: Built, receiver: Receiver) -> StorageScp:
    """The server, not started."""
    dimse = settings.dimse
    return StorageScp(
        host=dimse.host,
        port=dimse.port,
        ae_title=dimse.ae_title,
        receiver=receiver,
        metrics=built.metrics,
        peers=tuple(Peer(p.name, p.ae_title, p.host, p.port) for p in dimse.peers),
        allow_list=dimse.allow_list,
        require_called_ae_title=dimse.require_called_ae_title,
        max_associations=dimse.max_associations,
        max_pdu=dimse.max_pdu,
        timeout_s=dimse.timeout_s,
    )
