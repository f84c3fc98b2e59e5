"""Builds a node from its settings."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING

from anonymizer.restore import Restorer
from anonymizer.uids import UidMapper
from dicom_node.app.adapters import AnonymizerAdapter, SystemClock, UidAdapter
from dicom_node.app.anonymizer import build_anonymizer
from dicom_node.app.audit import open_audit
from dicom_node.app.http import create_http_app
from dicom_node.app.node import Node, Parts
from dicom_node.app.preview import render_preview
from dicom_node.app.retention import expire_results
from dicom_node.app.senders import build_senders
from dicom_node.dimse.scp import Peer, StorageScp
from dicom_node.domain.errors import ConfigurationError
from dicom_node.index.catalog import SqlCatalog
from dicom_node.index.database import open_database, upgrade
from dicom_node.index.quarantine import SqlQuarantine
from dicom_node.index.studies import SqlStudyIndex
from dicom_node.index.vault import SqlVault
from dicom_node.observability.metrics import PrometheusMetrics
from dicom_node.pipeline.complete import CompletionMonitor
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.pipeline.review import ReviewDesk
from dicom_node.pipeline.services import Services, Stores
from dicom_node.pipeline.workflow import Pipeline
from dicom_node.security.master import load_master_key
from dicom_node.storage.blobs import BlobRouter, EncryptedBlobs, PlainBlobs
from dicom_node.storage.keys import KeyStore
from dicom_node.storage.watermark import DiskWatermark
from dicomweb.app import create_router
from dicomweb.attributes import DicomJsonReader
from inference.encode.encoder import Encoder
from inference.encode.gate import Gate
from inference.registry import ModelRegistry
from inference.routing.router import Route, Router
from inference.runner.engine import ProcessEngine
from viewer.app import install
from viewer.node_info import NodeInfo
from viewer.ohif.release import standard_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from dicom_node.settings import Settings

#: Seconds between two looks for results that are due to go.
RETENTION_LOOK_S = 3600.0


@dataclass(frozen=True, slots=True)
class Built:
    """The services of a node and what its edges need besides."""

    services: Services
    review: ReviewDesk
    close_database: Callable[[], None]
    registry: ModelRegistry
    uids: UidAdapter
    metrics: PrometheusMetrics
    watermark: DiskWatermark
    engine: ProcessEngine
    warm_up: tuple[Callable[[], None], ...]


def build_registry(settings: Settings) -> ModelRegistry:
    """The model packages that the settings name, and ours."""
    return ModelRegistry.load(settings.inference.model_dirs)


def build_router(settings: Settings, registry: ModelRegistry) -> Router:
    """The router with the configured routes.

    Raises
    ------
    ConfigurationError
        If a route names a model that is not there.
    """
    for route in settings.routes:
        for model in route.models:
            if model not in registry.models:
                why = registry.invalid.get(model, f"known: {', '.join(sorted(registry.models))}")
                raise ConfigurationError(f"route {route.name}: no model {model} ({why})")
    routes = tuple(
        Route(
            name=route.name,
            modality=route.when.modality,
            body_part=route.when.body_part,
            sop_class=route.when.sop_class,
            min_instances=route.when.min_instances,
            models=route.models,
        )
        for route in settings.routes
    )
    return Router(registry, routes)


def build_services(settings: Settings) -> Built:
    """Everything but the edges and the workflow engine."""
    data_dir = settings.node.data_dir
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    master = load_master_key(data_dir)
    clock = SystemClock()
    metrics = PrometheusMetrics()
    watermark = DiskWatermark(data_dir, settings.node.min_free_mb << 20)
    database = open_database(settings.database_url)
    upgrade(database)
    keys = KeyStore(data_dir / "keys" / "slots", master)
    quarantine_keys = KeyStore(data_dir / "keys" / "quarantine", master)
    spool = EncryptedBlobs(data_dir / "spool", "spool", keys, watermark)
    # Without the watermark: on a full disk a study must still reach the purge that frees room.
    work = EncryptedBlobs(data_dir / "work", "work", keys)
    quarantine = EncryptedBlobs(data_dir / "quarantine", "quarantine", quarantine_keys)
    results = PlainBlobs(data_dir / "results", "results")
    router = BlobRouter({"spool": spool, "work": work, "quarantine": quarantine, "results": results})
    pseudonym_key = master.derive("pseudonyms")
    uids = UidAdapter(UidMapper(pseudonym_key))
    registry = build_registry(settings)
    engine = ProcessEngine(
        registry,
        device=settings.inference.device,
        timeout_s=settings.inference.timeout_s,
        min_confidence=settings.inference.min_confidence,
    )
    deidentification = build_anonymizer(settings, master, models=engine)
    anonymizer = AnonymizerAdapter(deidentification, Restorer(pseudonym_key))
    encoder = Encoder(uids.derived_uid)
    services = Services(
        clock=clock,
        index=SqlStudyIndex(database, clock),
        catalog=SqlCatalog(database),
        quarantine=SqlQuarantine(database, clock),
        vault=SqlVault(database, master.derive("vault")),
        stores=Stores(
            spool=spool,
            work=work,
            quarantine=quarantine,
            results=results,
            keys=keys,
            quarantine_keys=quarantine_keys,
            read=router.read,
            scratch=data_dir / "scratch",
        ),
        deidentifier=anonymizer,
        reidentifier=anonymizer,
        reader=DicomJsonReader(),
        router=build_router(settings, registry),
        engine=engine,
        encoder=encoder,
        gate=Gate(),
        senders=build_senders(settings),
        audit=open_audit(settings),
        metrics=metrics,
        inputs_s=settings.retention.inputs_s,
        backoff_s={d.name: d.backoff_s for d in settings.destinations},
    )

    review = ReviewDesk(services, render_preview)

    def sweep() -> None:
        for store in (spool, work, quarantine, results):
            store.sweep()
        review.settle()

    return Built(
        services,
        review,
        database.dispose,
        registry,
        uids,
        metrics,
        watermark,
        engine,
        (engine.warm_up, encoder.warm_up, deidentification.warm_up, sweep),
    )


def build_node(settings: Settings, *, hook: Callable[[str, str], None] | None = None) -> Node:
    """A node, ready to start.

    Parameters
    ----------
    hook
        For fault tests only: called around each pipeline stage.
    """
    built = build_services(settings)
    services = built.services
    pipeline = Pipeline(
        services,
        database_url=_workflow_url(settings),
        compute_slots=max(1, (os.cpu_count() or 2) // 2),
        hook=hook,
    )
    monitor = CompletionMonitor(
        services.index, services.clock, pipeline.start, quiet_s=settings.completion.quiet_s
    )
    receiver = ReceiveStage(
        services.index, services.stores.spool, built.uids, built.watermark, built.metrics, services.audit
    )
    dimse = settings.dimse
    scp = StorageScp(
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
    built.metrics.watch(
        "studies",
        "Studies by state",
        lambda: {state.value: count for state, count in services.index.count_by_state().items()},
        "state",
    )

    def install_viewer(app: FastAPI) -> None:
        install(
            app,
            index=services.index,
            pseudonymizer=built.uids,
            audit=services.audit,
            receiver=receiver,
            review=built.review,
            complete=monitor.complete,
            ohif_dir=standard_folders(settings.node.data_dir)[-1],
            catalog=services.catalog,
            node_info=NodeInfo(
                site=settings.node.site,
                version=distribution_version("dicom-ai-node"),
                ae_title=dimse.ae_title,
                dimse_host=dimse.host,
                dimse_port=lambda: scp.port,
                models=tuple((name, model.version) for name, model in sorted(built.registry.models.items())),
            ),
        )

    http = create_http_app(
        dicomweb_router=create_router(
            receiver=receiver,
            catalog=services.catalog,
            read_blob=services.stores.read,
            metrics=built.metrics,
            max_upload_bytes=settings.http.max_upload_mb << 20,
            service_name="DICOM-Node",
        ),
        install_viewer=install_viewer,
        metrics=built.metrics,
        readiness=(("disk", built.watermark.check), ("index", lambda: _answers(services))),
        version=distribution_version("dicom-ai-node"),
    )
    days = settings.retention.results_days
    retention = PollingThread("retention", lambda: expire_results(services, days), every_s=RETENTION_LOOK_S)
    # What a crash left there is of no use to the next run, and is not encrypted.
    shutil.rmtree(services.stores.scratch, ignore_errors=True)
    return Node(
        Parts(
            settings=settings,
            services=services,
            pipeline=pipeline,
            monitor=monitor,
            scp=scp,
            http=http,
            warm_up=(*built.warm_up, retention.start),
            close=(retention.stop, built.engine.close, built.close_database),
        )
    )


def _answers(services: Services) -> None:
    services.index.count_by_state()


def _workflow_url(settings: Settings) -> str:
    if settings.database.url is None or settings.database.url.startswith("sqlite"):
        return f"sqlite:///{settings.node.data_dir / 'workflows.db'}"
    return settings.database.url
