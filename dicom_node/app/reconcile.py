"""The reconciler of a node: in the background of a running one, and for the command."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from dicom_node.app.adapters import SystemClock
from dicom_node.app.audit import open_audit
from dicom_node.domain.reconciliation import DiscrepancyKind
from dicom_node.index.database import check, open_database
from dicom_node.index.notifications import SqlNotifications
from dicom_node.index.pulls import SqlPulls
from dicom_node.index.reconciliation import SqlReconciliation
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.reconcile import Pace, Reconciliation
from dicom_node.pipeline.reconcile_checks import Rules
from dicom_node.pipeline.reconcile_deep import DeepLook
from dicom_node.pipeline.reconcile_holdings import ReconciledStores
from dicom_node.pipeline.reconcile_repair import Repairs
from dicom_node.pipeline.reconcile_strays import Strays
from dicom_node.pipeline.workflow_probe import EngineProbe
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dicom_node.observability.metrics import PrometheusMetrics
    from dicom_node.pipeline.services import Services
    from dicom_node.ports.notification import NotificationStore
    from dicom_node.ports.operation import AuditLog, Clock
    from dicom_node.ports.reconciliation import ReconciliationIndex, WorkflowProbe
    from dicom_node.ports.studies import StudyIndex
    from dicom_node.settings import Settings

#: Younger bytes may be on their way into the index.
GRACE = timedelta(hours=1)
#: A study that nothing has happened to for so long, beyond what completion waits.
STUCK = timedelta(hours=1)
#: Seconds between two looks whether a reconciliation is due.
LOOK_S = 300.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What is compared, and with what."""

    settings: Settings
    index: ReconciliationIndex
    studies: StudyIndex
    stores: ReconciledStores
    notifications: NotificationStore
    clock: Clock
    audit: AuditLog
    works: WorkflowProbe
    holds: Callable[[str], bool]

    def reconciliation(
        self, *, deep: bool, repair: bool, wait: Callable[[float], bool], pace: Pace | None = None
    ) -> Reconciliation:
        """One look at everything, not begun."""
        settings, stores = self.settings, self.stores
        completion = timedelta(seconds=settings.completion.quiet_s + settings.completion.max_wait_s)
        rules = Rules(
            grace=GRACE,
            stuck=STUCK + completion,
            results_days=settings.retention.results_days,
            destinations=frozenset(destination.name for destination in settings.destinations),
            works=self.works,
            holds=self.holds,
        )
        listeners = [listener.name for listener in settings.notifications]
        return Reconciliation(
            self.index,
            stores,
            Strays(self.index, stores, self.notifications, self.clock, listeners=listeners, grace=GRACE),
            rules,
            self.clock,
            wait=wait,
            pace=pace,
            repairs=Repairs(self.index, self.studies, stores, self.audit) if repair else None,
            deep=DeepLook(stores.spool, stores.work, stores.results) if deep else None,
        )


class BackgroundReconciler:
    """Reconciles now and then while the node runs; changes nothing.

    Attributes
    ----------
    thread
        Looks whether it is due; started and stopped by the node.
    """

    def __init__(self, reconciled: Reconciled, metrics: PrometheusMetrics, close: Callable[[], None]) -> None:
        self._reconciled = reconciled
        self._close = close
        self._stopping = threading.Event()
        self.thread = PollingThread("reconcile", self._look, every_s=LOOK_S)
        metrics.watch(
            "ledger_discrepancies", "What did not fit at the last reconciliation", self._counts, "kind"
        )

    def stop(self) -> None:
        """Break off what is under way; the thread may be stopped then."""
        self._stopping.set()

    def close(self) -> None:
        """Give connections back, once the thread is stopped."""
        self._close()

    def note(self) -> str | None:
        """What people should know of the last report; `None` where all fitted."""
        report = self._reconciled.index.latest()
        if report is None or report.clean:
            return None
        count = sum(report.counts.values())
        noun = "discrepancy" if count == 1 else "discrepancies"
        return f"{count} {noun} at the reconciliation of {report.ended_at:%Y-%m-%d %H:%M} UTC"

    def _look(self) -> None:
        settings = self._reconciled.settings.reconciliation
        latest = self._reconciled.index.latest()
        every = timedelta(hours=settings.every_h)
        if not every or (latest is not None and self._reconciled.clock.now() - latest.ended_at < every):
            return
        self._reconciled.reconciliation(deep=settings.deep, repair=False, wait=self._stopping.wait).run()

    def _counts(self) -> dict[str, float]:
        report = self._reconciled.index.latest()
        if report is None:
            return {}
        return {kind.value: float(report.counts.get(kind.value, 0)) for kind in DiscrepancyKind}


def build_background(
    settings: Settings,
    services: Services,
    index: ReconciliationIndex,
    notifications: NotificationStore,
    *,
    metrics: PrometheusMetrics,
    workflow_url: str,
    holds: Callable[[str], bool],
) -> BackgroundReconciler:
    """The reconciler of a running node."""
    stores = services.stores
    probe = EngineProbe(workflow_url)
    reconciled = Reconciled(
        settings=settings,
        index=index,
        studies=services.index,
        stores=ReconciledStores(
            stores.spool,
            stores.work,
            stores.results,
            stores.quarantine,
            stores.keys,
            stores.quarantine_keys,
        ),
        notifications=notifications,
        clock=services.clock,
        audit=services.audit,
        works=probe,
        holds=holds,
    )
    return BackgroundReconciler(reconciled, metrics, probe.close)


@contextmanager
def open_reconciled(settings: Settings, workflow_url: str) -> Iterator[Reconciled]:
    """What the command compares, whether a node runs or not.

    Raises
    ------
    ConfigurationError, StorageFailure
        If there is no data, or its schema is another version's.
    """
    data_dir = settings.node.data_dir
    master = load_master_key(data_dir)
    database = open_database(settings.database_url)
    probe = EngineProbe(workflow_url)
    try:
        check(database)
        clock = SystemClock()
        keys = KeyStore(data_dir / "keys" / "slots", master)
        quarantine_keys = KeyStore(data_dir / "keys" / "quarantine", master)
        pulls = SqlPulls(database, master.derive("pulls"))
        yield Reconciled(
            settings=settings,
            index=SqlReconciliation(database),
            studies=SqlStudyIndex(database, clock),
            stores=ReconciledStores(
                spool=EncryptedBlobs(data_dir / "spool", "spool", keys),
                work=EncryptedBlobs(data_dir / "work", "work", keys),
                results=PlainBlobs(data_dir / "results", "results"),
                quarantine=EncryptedBlobs(data_dir / "quarantine", "quarantine", quarantine_keys),
                keys=keys,
                quarantine_keys=quarantine_keys,
            ),
            notifications=SqlNotifications(database),
            clock=clock,
            audit=open_audit(settings),
            works=probe,
            holds=lambda study_id: pulls.is_fetching(study_id, clock.now()),
        )
    finally:
        probe.close()
        database.dispose()


def wait(seconds: float) -> bool:
    """Wait, and go on: for who is stopped by a signal."""
    time.sleep(seconds)
    return False
