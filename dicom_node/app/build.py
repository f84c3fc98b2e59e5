"""Builds a node from its settings."""

from __future__ import annotations

import os
import shutil
from functools import partial
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING

from dicom_node.app.commitment import build_reporting, forget_old
from dicom_node.app.deliveries import build_deliveries
from dicom_node.app.disk import watch_disks
from dicom_node.app.http import create_http_app
from dicom_node.app.node import Node, Parts
from dicom_node.app.notifications import build_threads
from dicom_node.app.pulls import build_pulls, build_sender_counts
from dicom_node.app.receivers import build_receivers
from dicom_node.app.reconcile import build_background
from dicom_node.app.retention import expire_results
from dicom_node.app.services import build_services
from dicom_node.app.single_image import build_single_image
from dicom_node.app.workflow_url import workflow_url
from dicom_node.app.worklist import build_input_source, build_worklist_work
from dicom_node.domain.study import Completion
from dicom_node.pipeline.complete import CompletionMonitor
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.priority import priority
from dicom_node.pipeline.receive import ReceiveStage
from dicom_node.pipeline.senders import OpenSenders
from dicom_node.pipeline.tally import ArrivalTally
from dicom_node.pipeline.workflow import Pipeline
from dicom_node.storage.sealed_file import SealedFile
from dicomweb.app import create_router
from dicomweb.stow.body import UploadLimits
from viewer.app import install
from viewer.node_info import NodeInfo
from viewer.ohif.release import standard_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from dicom_node.pipeline.services import Services
    from dicom_node.settings import Settings

#: Seconds between two looks for results that are due to go.
RETENTION_LOOK_S = 3600.0
#: The same for the disks; whoever stores looks besides.
DISK_LOOK_S = 10.0


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
        database_url=workflow_url(settings),
        compute_slots=max(1, (os.cpu_count() or 2) // 2),
        priority=partial(priority, services),
        hook=hook,
    )
    senders = OpenSenders()
    monitor = CompletionMonitor(
        services.index,
        services.clock,
        pipeline.start,
        quiet_s=settings.completion.quiet_s,
        held=lambda study_id: pulls.holds(study_id),
        counts=build_sender_counts(settings, built),
        brought=senders.bring,
        max_wait_s=settings.completion.max_wait_s,
    )
    tally = ArrivalTally(services.ledger)
    receiver = ReceiveStage(
        services.index,
        services.stores.spool,
        built.uids,
        built.watermark,
        built.metrics,
        services.audit,
        tally=tally,
    )
    pulls = build_pulls(settings, built, receiver, partial(monitor.complete, why=Completion.PULL))
    scp = build_receivers(settings, built.metrics, senders)
    built.metrics.watch("connections", "DICOM connections that are open", scp.open, "state")
    built.metrics.watch(
        "studies",
        "Studies by state",
        lambda: {state.value: count for state, count in services.index.count_by_state().items()},
        "state",
    )
    watch_disks(built.metrics, built.watermark)
    reconciler = build_background(
        settings,
        services,
        built.reconciliation,
        built.notification_store,
        metrics=built.metrics,
        workflow_url=workflow_url(settings),
        holds=pulls.holds,
    )
    dispatcher, desk = build_deliveries(services, pipeline, built.metrics)

    single_images = build_single_image(settings, built)

    def install_viewer(app: FastAPI) -> None:
        install(
            app,
            index=services.index,
            pseudonymizer=built.uids,
            audit=services.audit,
            receiver=receiver,
            senders=senders,
            review=built.review,
            complete=monitor.complete,
            pulls=pulls,
            deliveries=desk,
            notifier=built.notifier,
            ledger=services.ledger,
            reconciliation=built.reconciliation,
            single_images=single_images,
            ohif_dir=standard_folders(settings.node.data_dir)[-1],
            catalog=services.catalog,
            node_info=NodeInfo(
                site=settings.node.site,
                version=distribution_version("dicom-ai-node"),
                ae_title=settings.dimse.ae_title,
                dimse_host=settings.dimse.host,
                dimse_port=lambda: scp.port,
                models=tuple((name, model.version) for name, model in sorted(built.registry.models.items())),
                tries_images=single_images is not None,
                disk_note=built.watermark.note,
                ledger_note=reconciler.note,
            ),
        )

    http = create_http_app(
        dicomweb_router=create_router(
            receiver=receiver,
            senders=senders,
            catalog=services.catalog,
            open_blob=services.stores.open,
            metrics=built.metrics,
            max_upload_bytes=settings.http.max_upload_mb << 20,
            service_name="DICOM-Node",
            worklist=built.worklist,
            worklist_hosts=settings.worklist.hosts,
            uploads=UploadLimits(
                settings.http.max_upload_mb << 20,
                settings.http.max_uploads,
                settings.http.upload_timeout_s,
                partial(SealedFile, services.stores.scratch),
            ),
        ),
        install_viewer=install_viewer,
        metrics=built.metrics,
        readiness=(
            ("disk", built.watermark.check),
            ("index", lambda: _answers(services)),
            ("dimse", scp.check),
        ),
        notes=(("disk", built.watermark.note), ("index", reconciler.note)),
        version=distribution_version("dicom-ai-node"),
    )
    work = build_worklist_work(
        settings,
        services,
        built.worklist,
        pseudonymizer=built.uids,
        complete=monitor.complete,
        source=build_input_source(settings, pulls),
    )
    days = settings.retention.results_days

    def expire() -> None:
        expire_results(services, days)
        work.expire()
        built.notifier.forget_old()
        forget_old(built.commitments, services.clock)

    threads = (
        PollingThread("retention", expire, every_s=RETENTION_LOOK_S),
        PollingThread("disk", built.watermark.look, every_s=DISK_LOOK_S),
        *build_threads(built.notifier),
        build_reporting(settings, built.desk),
        reconciler.thread,
    )
    # What a crash left there is of no use to the next run, and is not encrypted.
    shutil.rmtree(services.stores.scratch, ignore_errors=True)
    services.stores.scratch.mkdir(mode=0o700, exist_ok=True)
    return Node(
        Parts(
            settings=settings,
            services=services,
            pipeline=pipeline,
            monitor=monitor,
            scp=scp,
            http=http,
            warm_up=(
                dispatcher.start,
                work.start,
                pulls.start,
                *(built.warm_up if settings.node.warm_up else ()),
                built.sweep,
                *(t.start for t in threads),
            ),
            stop_first=(dispatcher.stop, work.stop, pulls.stop, reconciler.stop),
            farewell=work.farewell,
            close=(
                *(t.stop for t in threads),
                reconciler.close,
                built.engine.close,
                tally.close,
                built.close_database,
            ),
        )
    )


def _answers(services: Services) -> None:
    services.index.count_by_state()
