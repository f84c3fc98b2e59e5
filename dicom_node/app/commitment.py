"""Storage commitment of a node, in both roles."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dicom_node.app.peers import build_address, find_peer
from dicom_node.dimse.commitment_scu import DimseCommitmentRequester, DimseReportSender
from dicom_node.domain.commitment import CommitmentPolicy
from dicom_node.pipeline.commitment import CommitmentDesk
from dicom_node.pipeline.polling import PollingThread

if TYPE_CHECKING:
    from dicom_node.ports.commitment import CommitmentRequester, CommitmentStore, InstanceLookup
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.operation import AuditLog, Clock, Metrics
    from dicom_node.settings import Settings

#: Seconds between two looks for reports that are due.
_LOOK_S: Final = 2.0
#: How long ended transactions are remembered.
_KEPT: Final = timedelta(days=30)


def build_desk(
    settings: Settings,
    store: CommitmentStore,
    lookup: InstanceLookup,
    *,
    pseudonymizer: Pseudonymizer,
    clock: Clock,
    audit: AuditLog,
    metrics: Metrics,
) -> CommitmentDesk:
    """Who answers peers that ask; any process may."""
    policy = CommitmentPolicy(settings.dimse.commitment.promise)
    return CommitmentDesk(store, lookup, pseudonymizer, clock, audit, metrics, policy=policy)


def build_requester(settings: Settings, store: CommitmentStore, peer: str) -> CommitmentRequester:
    """Asks a peer, by its configured name, to keep what it was sent.

    Raises
    ------
    ConfigurationError
        If there is no such peer.
    """
    return DimseCommitmentRequester(build_address(settings, find_peer(settings, peer)), store)


def build_reporting(settings: Settings, desk: CommitmentDesk) -> PollingThread:
    """Reports what could not be reported at once; one process of the node does, the main one."""
    sender = DimseReportSender(
        {peer.ae_title: build_address(settings, peer) for peer in settings.dimse.peers}
    )
    return PollingThread("commitment", lambda: desk.report_due(sender), every_s=_LOOK_S)


def forget_old(store: CommitmentStore, clock: Clock) -> None:
    """Forget transactions that ended long ago."""
    store.expire(clock.now() - _KEPT)
