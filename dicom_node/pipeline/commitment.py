"""Storage commitment as SCP: what this node promises to keep, and telling who asked.

References
----------
PS3.4 Annex J.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from dicom_node.domain.commitment import CommitmentPolicy, CommitmentReport, FailureReason
from dicom_node.domain.errors import DeliveryFailed, NotFound
from dicom_node.pipeline.accepted import storage_sop_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dicom_node.domain.commitment import CommitmentOrder, ObjectReference
    from dicom_node.ports.commitment import CommitmentStore, InstanceLookup, ReportSender
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.operation import AuditLog, Clock, Metrics

log = structlog.get_logger(__name__)

#: Who reports has this long before another takes over.
_LEASE: Final = timedelta(minutes=2)
_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(hours=1)
#: With the waits between them, about two days.
_ATTEMPTS: Final = 56
_STANDARD: Final = "1.2.840.10008."


class CommitmentDesk:
    """Takes requests of peers, and reports.

    Parameters
    ----------
    policy
        What is promised.
    """

    def __init__(
        self,
        store: CommitmentStore,
        lookup: InstanceLookup,
        pseudonymizer: Pseudonymizer,
        clock: Clock,
        audit: AuditLog,
        metrics: Metrics,
        *,
        policy: CommitmentPolicy = CommitmentPolicy.NOTHING,
    ) -> None:
        self._store = store
        self._lookup = lookup
        self._pseudonymizer = pseudonymizer
        self._clock = clock
        self._audit = audit
        self._metrics = metrics
        self._policy = policy

    def take(self, peer_ae_title: str, transaction_uid: str, objects: Sequence[ObjectReference]) -> str:
        """Take a request on; when this returns it survives a power cut. Returns the order's id.

        Raises
        ------
        StorageFailure, OutOfResources
        """
        order_id = self._store.accept(peer_ae_title, transaction_uid, objects)
        self._audit.record("commitment.asked", ae_title=peer_ae_title, count=len(objects))
        return order_id

    def settle(self, report: CommitmentReport, peer_ae_title: str) -> bool:
        """Keep what a peer reports of a request of ours; see `ports.CommitmentStore.settle`."""
        known = self._store.settle(report, peer_ae_title)
        outcome = "unknown" if not known else "failed" if report.failures else "committed"
        self._metrics.count("commitments", role="scu", outcome=outcome)
        log.info("commitment.told", ae_title=peer_ae_title, outcome=outcome, count=len(report.committed))
        return known

    def answer(self, order_id: str, send: Callable[[CommitmentReport], None]) -> bool:
        """Report an order at once, over the association that it came by; else it is due by another.

        Parameters
        ----------
        send
            Raises `DeliveryFailed` where the report does not get through.
        """
        now = self._clock.now()
        order = self._store.claim(now, now + _LEASE, order_id)
        return order is not None and self._report(order, send, first_wait=timedelta())

    def report_due(self, sender: ReportSender) -> int:
        """Report all orders that are due, each over an association of its own; return how many got through.

        Raises
        ------
        StorageFailure, OutOfResources
        """
        reported = 0
        while True:
            now = self._clock.now()
            order = self._store.claim(now, now + _LEASE)
            if order is None:
                return reported
            peer = order.peer_ae_title
            reported += self._report(order, lambda report, peer=peer: sender.send(peer, report))  # type: ignore[misc]

    def _report(
        self,
        order: CommitmentOrder,
        send: Callable[[CommitmentReport], None],
        first_wait: timedelta = _FIRST_WAIT,
    ) -> bool:
        report = self.report_of(order)
        try:
            send(report)
        except NotFound as exc:
            self._give_up(order, str(exc))
            return False
        except DeliveryFailed as exc:
            if order.attempts + 1 >= _ATTEMPTS:
                self._give_up(order, str(exc))
                return False
            wait = min(_LONGEST_WAIT, first_wait * 2 ** min(order.attempts, 10))
            self._store.postpone(order.id, self._clock.now() + wait, str(exc))
            log.info(
                "commitment.postponed", ae_title=order.peer_ae_title, attempt=order.attempts, reason=str(exc)
            )
            return False
        self._store.reported(order.id)
        outcome = "failed" if report.failures else "committed"
        self._metrics.count("commitments", role="scp", outcome=outcome)
        self._audit.record(
            "commitment.reported",
            ae_title=order.peer_ae_title,
            count=len(report.committed),
            failed=len(report.failures),
        )
        return True

    def _give_up(self, order: CommitmentOrder, reason: str) -> None:
        self._store.give_up(order.id, reason)
        self._metrics.count("commitments", role="scp", outcome="given-up")
        log.warning("commitment.given-up", ae_title=order.peer_ae_title, reason=reason)

    def report_of(self, order: CommitmentOrder) -> CommitmentReport:
        """What this node promises of an order, as it stands now.

        Raises
        ------
        StorageFailure
        """
        pseudonyms = [self._pseudonymizer.uid(one.sop_instance_uid) for one in order.objects]
        known = self._lookup.sop_classes(pseudonyms)
        committed = []
        failures = {}
        for one, pseudonym in zip(order.objects, pseudonyms, strict=True):
            reason = FailureReason.DUPLICATE_TRANSACTION_UID if order.duplicate else None
            reason = reason or self._refusal(one, known.get(pseudonym))
            if reason is None:
                committed.append(one)
            else:
                failures[one] = int(reason)
        return CommitmentReport(order.transaction_uid, tuple(committed), failures)

    def _refusal(self, one: ObjectReference, known: tuple[str, bool] | None) -> FailureReason | None:
        if known is None:
            foreign = (
                one.sop_class_uid.startswith(_STANDARD) and one.sop_class_uid not in storage_sop_classes()
            )
            if foreign:
                return FailureReason.REFERENCED_SOP_CLASS_NOT_SUPPORTED
            return FailureReason.NO_SUCH_OBJECT_INSTANCE
        sop_class_uid, held = known
        if sop_class_uid != one.sop_class_uid:
            return FailureReason.CLASS_INSTANCE_CONFLICT
        if self._policy is CommitmentPolicy.NOTHING:
            return FailureReason.RESOURCE_LIMITATION
        if self._policy is CommitmentPolicy.HELD and not held:
            return FailureReason.NO_SUCH_OBJECT_INSTANCE
        return None
