"""Storage commitment: asking a peer to keep what was sent, and answering a peer that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from dicom_node.domain.commitment import (
        CommitmentOrder,
        CommitmentOutcome,
        CommitmentReport,
        ObjectReference,
    )


class CommitmentRequester(Protocol):
    """Asks one peer."""

    def request(self, objects: Sequence[ObjectReference]) -> str:
        """Ask the peer to commit to keep these instances, and return the transaction UID.

        The answer comes when it comes, perhaps before this returns, perhaps to another process of this
        node: see `Commitments.outcome`. Waits a short while for an answer on the same association.

        Parameters
        ----------
        objects
            As they were sent to this peer.

        Raises
        ------
        DeliveryFailed
            If the peer is not there, or does not take the request; nothing is pending then.
        StorageFailure, OutOfResources
        """


class Commitments(Protocol):
    """What peers answered; durable, and the same for all processes of the node."""

    def outcome(self, transaction_uid: str) -> CommitmentOutcome:
        """How a request stands. It stays pending for good where no answer comes: give it up by its age.

        Raises
        ------
        NotFound
            If this node never made the transaction.
        StorageFailure
        """


class CommitmentStore(Commitments, Protocol):
    """Transactions of both roles, durable on return. What names instances is sealed.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.
    """

    def begin(self, peer_ae_title: str, objects: Sequence[ObjectReference]) -> str:
        """Keep a request of ours before it is sent; return its new transaction UID."""

    def settle(self, report: CommitmentReport, peer_ae_title: str) -> bool:
        """Keep what a peer reports of a request of ours; `False` where this peer was asked no such thing.

        A report that comes again changes nothing.
        """

    def refused(self, transaction_uid: str, reason: str) -> None:
        """End a request of ours that the peer did not take."""

    def accept(self, peer_ae_title: str, transaction_uid: str, objects: Sequence[ObjectReference]) -> str:
        """Keep a request of a peer; return the order's id. Its report is due at once.

        The same request again is the same order, and its report is due again.
        """

    def claim(self, now: datetime, until: datetime, order_id: str | None = None) -> CommitmentOrder | None:
        """An order whose report is due, the longest due first; nobody else gets it before `until`.

        Parameters
        ----------
        order_id
            This one and no other, where it is due.
        """

    def reported(self, order_id: str) -> None:
        """End an order: the peer has its report."""

    def postpone(self, order_id: str, until: datetime, reason: str) -> None:
        """Note that a report did not get through; it is due again at `until`."""

    def give_up(self, order_id: str, reason: str) -> None:
        """End an order whose report nobody will get."""

    def expire(self, ended_before: datetime) -> int:
        """Forget transactions of both roles that ended before then; return how many."""


class InstanceLookup(Protocol):
    """What the index knows of source instances, purged ones too."""

    def sop_classes(self, sop_instance_uids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """(SOP Class UID, whether the node holds it still) by pseudonymous SOP Instance UID.

        Unknown ones are absent.

        Raises
        ------
        StorageFailure
        """


class ReportSender(Protocol):
    """Tells peers what this node keeps, over associations that it opens."""

    def send(self, peer_ae_title: str, report: CommitmentReport) -> None:
        """Send a report.

        Raises
        ------
        NotFound
            If no peer of this AE title is configured.
        DeliveryFailed
            If the peer is not there, or does not take it.
        """
