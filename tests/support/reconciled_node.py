"""Index, catalog, quarantine, vault and stores of a node, with studies as the stages leave them."""

import hashlib
import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dimse_objects import CountingMetrics, FakePseudonymizer, FakeWatermark, make_instance, part10
from index_samples import entry

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.deidentification import DeidentificationReport
from dicom_node.domain.delivery import DeliveryObject
from dicom_node.domain.destination import Closing
from dicom_node.domain.identity import OriginalIdentity
from dicom_node.domain.instance import IncomingInstance
from dicom_node.domain.ledger import GateVerdict
from dicom_node.domain.quarantine import QuarantinedInstance
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Run, RunStatus
from dicom_node.domain.study import Slot, StudyState
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.notifications import SqlNotifications
from dicom_node.index.quarantine import SqlQuarantine
from dicom_node.index.reconciliation import SqlReconciliation
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.study_ledger import SqlLedger
from dicom_node.index.vault import SqlVault
from dicom_node.pipeline.quarantine import slot_of
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.pipeline.reconcile import Pace, Reconciliation
from dicom_node.pipeline.reconcile_checks import Rules
from dicom_node.pipeline.reconcile_deep import DeepLook
from dicom_node.pipeline.reconcile_holdings import ReconciledStores
from dicom_node.pipeline.reconcile_repair import Repairs
from dicom_node.pipeline.reconcile_strays import Strays
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.spool import Spool

GRACE = timedelta(hours=1)


class Clock:
    """The machine's clock, which tests put forward."""

    def __init__(self):
        self.ahead = timedelta()

    def now(self):
        return datetime.now(UTC) + self.ahead


class Audit(list):
    def record(self, event, **fields):
        self.append((event, fields))


class ReconciledNode:
    """A node without models and without edges.

    Attributes
    ----------
    works, holds
        What the workflow engine and the pulls say.
    """

    def __init__(self, folder, url):
        self.folder = folder
        self.database = open_database(url)
        self.clock, self.audit = Clock(), Audit()
        master = load_master_key(folder)
        keys = KeyStore(folder / "keys" / "slots", master)
        quarantine_keys = KeyStore(folder / "keys" / "quarantine", master)
        self.stores = ReconciledStores(
            spool=Spool(folder / "spool", "spool", keys),
            work=EncryptedBlobs(folder / "work", "work", keys),
            results=PlainBlobs(folder / "results", "results"),
            quarantine=EncryptedBlobs(folder / "quarantine", "quarantine", quarantine_keys),
            keys=keys,
            quarantine_keys=quarantine_keys,
        )
        self.index = SqlStudyIndex(self.database, self.clock)
        self.catalog = SqlCatalog(self.database)
        self.quarantine = SqlQuarantine(self.database, self.clock)
        self.vault = SqlVault(self.database, bytes(32))
        self.ledger = SqlLedger(self.database, self.clock)
        self.deliveries = SqlDeliveries(self.database)
        self.notifications = SqlNotifications(self.database)
        self.reports = SqlReconciliation(self.database)
        self.receiver = ReceiveStage(
            self.index, self.stores.spool, FakePseudonymizer(), FakeWatermark(), CountingMetrics()
        )
        self.works = self.holds = lambda *_: False
        self.destinations = {"pacs"}
        self.listeners = {"ris"}
        self.between_looks = lambda: None
        self.stopped = False

    def close(self):
        self.database.dispose()

    def receive(self, count=3, study=None):
        """Take instances of one study in; its id."""
        sent = make_instance(StudyInstanceUID=study) if study else make_instance()
        for _ in range(count):
            again = make_instance(
                StudyInstanceUID=sent.StudyInstanceUID, SeriesInstanceUID=sent.SeriesInstanceUID
            )
            receipt = self.receiver.receive(IncomingInstance(io.BytesIO(part10(again)), "dimse:CT"))
        return receipt.study_id

    def process(self, study_id, held=0):
        """De-identify, run, encode and check; `held` instances are kept back."""
        version = self.index.begin_processing(study_id)
        study = self.index.study(study_id)
        sources = self.index.sources(study_id, version)
        published = []
        for source in sources[: len(sources) - held]:
            slot = Slot(study_id, source.epoch)
            ref = self.stores.work.write(slot, f"{source.sop_instance_uid}.dcm", io.BytesIO(b"clean"))
            published.append(
                replace(
                    entry(),
                    study_id=study_id,
                    ref=ref,
                    study_instance_uid=source.study_instance_uid,
                    series_instance_uid=source.series_instance_uid,
                    sop_instance_uid=source.sop_instance_uid,
                )
            )
        for source in sources[len(sources) - held :]:
            self._hold(source, version)
        self.vault.put(study_id, OriginalIdentity({}, {study.study_instance_uid: "1.2.3"}))
        self.catalog.publish(published)
        report = DeidentificationReport("basic", (), len(published), {}, {}, (), {}, {})
        self.index.set_deidentification(study_id, version, report)
        run = Run("brain", "1.0", sources[0].series_instance_uid, RunStatus.DONE)
        self.index.set_runs(study_id, version, [run])
        return version, self._results(study_id, study, version, published)

    def finish(self, study_id, version, state=StudyState.DONE, results=()):
        """End a version; its results wait for the destinations."""
        closing = Closing(study_id, version, state, None, frozenset(), self.clock.now())
        objects = tuple(DeliveryObject(n, r.sop_instance_uid) for n, r in enumerate(results))
        self.deliveries.open(closing, dict.fromkeys(sorted(self.destinations), objects))
        self.index.finish(study_id, version, state, None)

    def purge(self, study_id, version):
        """As the stage does."""
        slot = self.index.begin_purge(study_id, version)
        self.catalog.withdraw_sources(study_id)
        self.stores.keys.destroy(slot)
        self.stores.spool.delete_slot(slot)
        self.stores.work.delete_slot(slot)
        self.index.purged(study_id, slot)

    def done_study(self, held=0):
        """A study that was received, processed and ended; its id."""
        study_id = self.receive()
        version, results = self.process(study_id, held)
        self.finish(study_id, version, results=results)
        return study_id

    def reconcile(self, *, deep=False, repair=False):
        """A look at everything; what remains by kind."""
        rules = Rules(GRACE, timedelta(hours=1), 30, frozenset(self.destinations), self.works, self.holds)
        strays = Strays(
            self.reports,
            self.stores,
            self.notifications,
            self.clock,
            listeners=self.listeners,
            grace=GRACE,
        )
        stores = self.stores
        report = Reconciliation(
            self.reports,
            stores,
            strays,
            rules,
            self.clock,
            wait=self._wait,
            pace=Pace(0, 1),
            repairs=Repairs(self.reports, self.index, stores, self.audit) if repair else None,
            deep=DeepLook(stores.spool, stores.work, stores.results) if deep else None,
        ).run()
        assert report is None or self.reports.latest() == report
        return report

    def found(self, **how):
        """Kinds of discrepancies that remain, with their counts."""
        return {kind: count for kind, count in self.reconcile(**how).counts.items() if count}

    def only(self, kind, count=1, **how):
        """The discrepancies, where they are of one kind."""
        report = self.reconcile(**how)
        assert dict(report.counts) == {kind.value: count}
        return report.discrepancies

    def run(self, statement):
        """Change the database behind the node's back."""
        with self.database.begin() as connection:
            connection.execute(statement)

    def files(self, area):
        """All blobs of a store, oldest name first."""
        return sorted(p for p in (self.folder / area).rglob("*") if p.is_file())

    def age(self, hours=2):
        """Make all that lies there older."""
        for area in ("spool", "work", "results", "quarantine", "keys"):
            for path in self.files(area):
                past = path.stat().st_mtime - hours * 3600
                os.utime(path, (past, past))

    def _wait(self, seconds):
        if seconds:
            self.between_looks()
        return self.stopped

    def _hold(self, source, version):
        item_id = source.sop_instance_uid.replace(".", "-")
        ref = self.stores.quarantine.write(slot_of(item_id), "original.dcm", io.BytesIO(b"kept"))
        self.quarantine.hold(
            QuarantinedInstance(
                id=item_id,
                study_id=source.study_id,
                epoch=source.epoch,
                version=version,
                sop_instance_uid=source.sop_instance_uid,
                sop_class_uid=source.sop_class_uid,
                modality=source.modality,
                size=source.size,
                sha256=source.sha256,
                rule="burned-in-annotation",
                vouchable=True,
                reason="look at it",
                ref=ref,
            )
        )

    def _results(self, study_id, study, version, published):
        slot = Slot(study_id, version)
        made = []
        for number, kind in enumerate((ResultKind.SR, ResultKind.SEG), start=1):
            uid = f"{study.study_instance_uid}.{version}.{number}"
            ref = self.stores.results.write(slot, f"{uid}.dcm", io.BytesIO(b"result"))
            made.append(ResultEntry(kind, "1.2.3", "2.25.9", uid, version, ref, "brain", "1.0"))
        self.ledger.made(study_id, version, made)
        self.index.set_results(study_id, version, made)
        self.catalog.publish(
            [
                replace(
                    published[0],
                    kind=CatalogKind.RESULT,
                    sop_instance_uid=each.sop_instance_uid,
                    series_instance_uid=each.series_instance_uid,
                    ref=each.ref,
                    version=version,
                )
                for each in made
            ]
        )
        digest = hashlib.sha256(b"result").hexdigest()
        verdicts = [GateVerdict(each.sop_instance_uid, None, 6, digest) for each in made]
        self.ledger.checked(study_id, version, verdicts)
        return made
