"""The DIMSE server of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.dimse.scp import Peer, StorageScp

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.app.receiver_edge import DimseEdge
    from dicom_node.settings import Settings


def build_scp(settings: Settings, edge: DimseEdge, *, ended: Callable[[], None] = lambda: None) -> StorageScp:
    """The server, not started: in the main process, or in a receiver process that is handed connections.

    Parameters
    ----------
    ended
        Called when a connection that was handed over is done.
    """
    dimse = settings.dimse
    return StorageScp(
        host=dimse.host,
        port=dimse.port,
        ae_title=dimse.ae_title,
        receiver=edge.receiver,
        metrics=edge.metrics,
        peers=tuple(Peer(p.name, p.ae_title, p.host, p.port) for p in dimse.peers),
        allow_list=dimse.allow_list,
        require_called_ae_title=dimse.require_called_ae_title,
        max_associations=dimse.max_associations,
        max_pdu=dimse.max_pdu,
        timeout_s=dimse.timeout_s,
        ended=ended,
    )
