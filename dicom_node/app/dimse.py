"""The DIMSE server of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.app.admission import build_admission, build_limits, build_timeouts, build_tls
from dicom_node.app.query_retrieve import build_dimse_services
from dicom_node.dimse.scp import StorageScp

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.app.receiver_edge import DimseEdge
    from dicom_node.dimse.limits import Caller, Limits
    from dicom_node.settings import Settings


def build_scp(
    settings: Settings,
    edge: DimseEdge,
    *,
    limits: Limits | None = None,
    ended: Callable[[Caller], None] | None = None,
    brought: Callable[[Caller, str], None] | None = None,
) -> StorageScp:
    """The server, not started: in the main process, or in a receiver process that is handed connections.

    Parameters
    ----------
    limits
        Counts callers over all processes; `None`: this one is the only one.
    ended
        Called when a connection that was handed over is done.
    brought
        See `StorageScp`.
    """
    dimse = settings.dimse
    tls = build_tls(dimse)
    return StorageScp(
        host=dimse.host,
        port=dimse.port,
        ae_title=dimse.ae_title,
        receiver=edge.receiver,
        metrics=edge.metrics,
        admission=build_admission(dimse),
        limits=limits or build_limits(dimse),
        tally=edge.tally.refused,
        audit=edge.audit,
        max_pdu=dimse.max_pdu,
        max_instance_bytes=dimse.max_instance_mb << 20,
        timeouts=build_timeouts(dimse),
        private_sop_classes=dimse.private_sop_classes,
        services=build_dimse_services(settings, edge),
        tls_port=None if dimse.tls is None else dimse.tls.port,
        tls=None if tls is None else tls.secure,
        ended=ended,
        brought=brought,
    )
