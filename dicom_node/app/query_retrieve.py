"""What the DIMSE server of a process offers besides storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.peers import build_address
from dicom_node.dimse.commitment_scp import CommitmentScp
from dicom_node.dimse.query_scp import QueryScp
from dicom_node.dimse.retrieve_scp import RetrieveScp

if TYPE_CHECKING:
    from dicom_node.app.receiver_edge import DimseEdge
    from dicom_node.dimse.service import DimseService
    from dicom_node.settings import Settings


def build_dimse_services(settings: Settings, edge: DimseEdge) -> tuple[DimseService, ...]:
    """Query, retrieve and storage commitment; admission says who may use them.

    Raises
    ------
    ConfigurationError
        If a certificate, a key or a passcode for a peer cannot be read.
    """
    dimse = settings.dimse
    return (
        QueryScp(edge.catalog, edge.metrics, ae_title=dimse.ae_title, max_matches=dimse.query.max_matches),
        RetrieveScp(
            edge.catalog,
            edge.open_blob,
            edge.audit,
            edge.metrics,
            destinations={peer.ae_title: build_address(settings, peer) for peer in dimse.peers},
            max_retrievals=dimse.query.max_retrievals,
            wait_s=dimse.timeout_s / 2,
        ),
        CommitmentScp(edge.desk),
    )
