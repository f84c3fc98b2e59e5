"""Everything of a node but its edges and the workflow engine, from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anonymizer.restore import Restorer
from anonymizer.uids import UidMapper
from dicom_node.app.adapters import AnonymizerAdapter, SystemClock, UidAdapter
from dicom_node.app.anonymizer import build_anonymizer
from dicom_node.app.audit import open_audit
from dicom_node.app.commitment import build_desk
from dicom_node.app.confirmers import build_confirmers
from dicom_node.app.disk import open_watermark
from dicom_node.app.models import build_engine
from dicom_node.app.notifications import build_notifier
from dicom_node.app.preview import render_preview
from dicom_node.app.routes import build_router
from dicom_node.app.senders import build_senders
from dicom_node.app.worklist import build_worklist
from dicom_node.index.arrivals import SqlArrivals
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.commitments import SqlCommitments
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.deliveries import SqlDeliveries
from dicom_node.index.notifications import SqlNotifications
from dicom_node.index.pulls import SqlPulls
from dicom_node.index.quarantine import SqlQuarantine
from dicom_node.index.reconciliation import SqlReconciliation
from dicom_node.index.source_classes import SqlInstanceLookup
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.study_ledger import SqlLedger
from dicom_node.index.vault import SqlVault
from dicom_node.index.worklist import SqlWorklist
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.review import ReviewDesk
from dicom_node.pipeline.services import Services, Stores
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.spool import Spool
from dicomweb.attributes import DicomJsonReader
from dicomweb.client.transcoding import lossless
from inference.encode.choice import ResultChoice
from inference.encode.encoder import Encoder
from inference.encode.gate import Gate
from inference.registry import ModelRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.commitment import CommitmentDesk
    from dicom_node.pipeline.notify import Notifier
    from dicom_node.pipeline.worklist import WorklistService
    from dicom_node.ports.arrivals import Arrivals
    from dicom_node.ports.commitment import CommitmentStore
    from dicom_node.ports.notification import NotificationStore
    from dicom_node.ports.pulls import PullStore
    from dicom_node.ports.reconciliation import ReconciliationIndex
    from dicom_node.settings import Settings
    from dicom_node.storage.watermark import DiskWatermark
    from inference.runner.engine import ProcessEngine


@dataclass(frozen=True, slots=True)
class Built:
    """The services of a node and what its edges need besides.

    Attributes
    ----------
    warm_up
        Load what the first study would wait for.
    sweep
        Removes what an earlier process left half done.
    """

    services: Services
    review: ReviewDesk
    worklist: WorklistService
    pull_store: PullStore
    arrivals: Arrivals
    notifier: Notifier
    notification_store: NotificationStore
    reconciliation: ReconciliationIndex
    commitments: CommitmentStore
    desk: CommitmentDesk
    close_database: Callable[[], None]
    registry: ModelRegistry
    uids: UidAdapter
    metrics: PrometheusMetrics
    watermark: DiskWatermark
    engine: ProcessEngine
    warm_up: tuple[Callable[[], None], ...]
    sweep: Callable[[], None]


def build_registry(settings: Settings) -> ModelRegistry:
    """The model packages that the settings name, and ours."""
    return ModelRegistry.load(settings.inference.model_dirs)


def build_services(settings: Settings) -> Built:
    """Everything but the edges and the workflow engine."""
    data_dir = settings.node.data_dir
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    master = load_master_key(data_dir)
    clock = SystemClock()
    metrics = PrometheusMetrics()
    watermark = open_watermark(settings)
    database = open_database(settings.database_url)
    upgrade(database)
    commitments = SqlCommitments(database, clock, master.derive("commitments"))
    keys = KeyStore(data_dir / "keys" / "slots", master)
    quarantine_keys = KeyStore(data_dir / "keys" / "quarantine", master)
    spool = Spool(data_dir / "spool", "spool", keys)
    # Without the watermark: on a full disk a study must still reach the purge that frees room.
    work = EncryptedBlobs(data_dir / "work", "work", keys)
    quarantine = EncryptedBlobs(data_dir / "quarantine", "quarantine", quarantine_keys)
    results = PlainBlobs(data_dir / "results", "results")
    router = BlobRouter({"spool": spool, "work": work, "quarantine": quarantine, "results": results})
    pseudonym_key = master.derive("pseudonyms")
    uids = UidAdapter(UidMapper(pseudonym_key))
    registry = build_registry(settings)
    engine = build_engine(settings, registry, metrics)
    deidentification = build_anonymizer(settings, master, models=engine)
    anonymizer = AnonymizerAdapter(deidentification, Restorer(pseudonym_key))
    encoder = Encoder(
        uids.derived_uid,
        choose=lambda model: ResultChoice(**settings.results.of(model)),
        card=lambda model: registry.models[model].card if model in registry.models else None,
    )
    index = SqlStudyIndex(database, clock)
    vault = SqlVault(database, master.derive("vault"))
    audit = open_audit(settings)
    deliveries = SqlDeliveries(database)
    notification_store = SqlNotifications(database)
    notifier = build_notifier(
        settings,
        store=notification_store,
        index=index,
        vault=vault,
        deliveries=deliveries,
        uids=uids,
        clock=clock,
        audit=audit,
        metrics=metrics,
    )
    services = Services(
        clock=clock,
        index=index,
        catalog=SqlCatalog(database),
        quarantine=SqlQuarantine(database, clock),
        ledger=SqlLedger(database, clock),
        vault=vault,
        stores=Stores(
            spool=spool,
            work=work,
            quarantine=quarantine,
            results=results,
            keys=keys,
            quarantine_keys=quarantine_keys,
            read=router.read,
            open=router.open,
            scratch=data_dir / "scratch",
        ),
        deidentifier=anonymizer,
        reidentifier=anonymizer,
        reader=DicomJsonReader(),
        router=build_router(settings, registry, sample_key=master.derive("sampling")),
        engine=engine,
        encoder=encoder,
        gate=Gate(),
        senders=build_senders(settings),
        audit=audit,
        metrics=metrics,
        announcer=notifier,
        inputs_s=settings.retention.inputs_s,
        deliveries=deliveries,
        confirmers=build_confirmers(settings, commitments),
        transcode=lossless,
        purge_undelivered=settings.retention.purge_undelivered,
    )

    review = ReviewDesk(services, render_preview)

    def sweep() -> None:
        for store in (spool, work, quarantine, results):
            store.sweep()
        review.settle()

    return Built(
        services,
        review,
        build_worklist(
            settings, services, lambda queued: SqlWorklist(database, clock, master.derive("worklist"), queued)
        ),
        SqlPulls(database, master.derive("pulls")),
        SqlArrivals(database),
        notifier,
        notification_store,
        SqlReconciliation(database),
        commitments,
        build_desk(
            settings,
            commitments,
            SqlInstanceLookup(database),
            pseudonymizer=uids,
            clock=clock,
            audit=services.audit,
            metrics=metrics,
        ),
        database.dispose,
        registry,
        uids,
        metrics,
        watermark,
        engine,
        (engine.warm_up, encoder.warm_up, deidentification.warm_up),
        sweep,
    )
