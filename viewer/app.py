"""Adds dashboard, REST API and OHIF to the node's HTTP application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.staticfiles import StaticFiles

from dicom_node.pipeline.senders import OpenSenders
from viewer.api import deliveries as deliveries_api
from viewer.api import docs, notifications, quarantine, single_image, studies, study_records, upload
from viewer.api import ledger as ledger_api
from viewer.api import pulls as pulls_api
from viewer.api import reconciliation as reconciliation_api
from viewer.api.document import install_document
from viewer.dashboard import (
    delivery_pages,
    pages,
    pull_pages,
    quarantine_pages,
    reconciliation_pages,
    try_pages,
)
from viewer.dashboard.render import create_renderer
from viewer.dashboard.series_names import SeriesNames
from viewer.headers import SecurityHeaders
from viewer.ohif import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from dicom_node.ports.catalog import Catalog
    from dicom_node.ports.delivery import DeliveryDesk
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.ingest import Receiver, Senders
    from dicom_node.ports.ledger import Ledger
    from dicom_node.ports.notification import Notifications
    from dicom_node.ports.operation import AuditLog
    from dicom_node.ports.pulls import Pulls
    from dicom_node.ports.quarantine import Review
    from dicom_node.ports.reconciliation import ReconciliationIndex
    from dicom_node.ports.single_image import ImagePredictor
    from dicom_node.ports.studies import StudyIndex
    from viewer.api.single_image import ImageLimits
    from viewer.node_info import NodeInfo

_STATIC = Path(__file__).parent / "dashboard" / "static"


def install(
    app: FastAPI,
    *,
    index: StudyIndex,
    pseudonymizer: Pseudonymizer,
    audit: AuditLog,
    receiver: Receiver,
    review: Review,
    complete: Callable[[str], object],
    ohif_dir: Path | None,
    node_info: NodeInfo,
    catalog: Catalog | None = None,
    pulls: Pulls | None = None,
    deliveries: DeliveryDesk | None = None,
    notifier: Notifications | None = None,
    ledger: Ledger | None = None,
    reconciliation: ReconciliationIndex | None = None,
    single_images: tuple[ImagePredictor, ImageLimits] | None = None,
    senders: Senders | None = None,
) -> None:
    """Add dashboard (`/`), `/static`, `/api` and `/viewer`, and security headers to every answer.

    Call it last: the headers are middleware.

    Parameters
    ----------
    complete
        Takes a receiving study on to the pipeline at once, by its id.
    ohif_dir
        Where OHIF is installed, or `None` to look at the standard places
        (`viewer.ohif.release.standard_folders`); it may be added while the node runs.
    catalog
        Names result series on the pages by their Series Description; without it, by their kind.
    pulls
        Fetches studies from archives; without it there is no `/api/pulls`, and no page about it.
    deliveries
        Brings results to destinations; without it there is no `/api/deliveries`, and no page about it.
    ledger
        What became of instances and results; without it there is no `/api/studies/{id}/ledger`.
    reconciliation
        Reports of what does not fit; without it there is no `/reconciliation`.
    single_images
        Answers questions about one image, and what is taken; without it there is no `/predict`, `/heatmap`,
        `/meta` and `/try`.
    notifier
        Tells listeners; without it there is no `/api/notifications`.
    senders
        Is told which studies an upload brings while it is open.
    """
    render = create_renderer(node_info)
    describe = SeriesNames(catalog) if catalog is not None else _undescribed
    app.include_router(pages.create_router(index, review, render, describe, ledger))
    app.include_router(quarantine_pages.create_router(index, review, render))
    app.include_router(
        studies.create_router(index=index, pseudonymizer=pseudonymizer, audit=audit, complete=complete)
    )
    app.include_router(study_records.create_router(index))
    app.include_router(quarantine.create_router(review))
    app.include_router(upload.create_router(receiver, senders or OpenSenders()))
    if pulls is not None:
        app.include_router(pulls_api.create_router(pulls, audit))
        app.include_router(pull_pages.create_router(pulls, render))
    if deliveries is not None:
        app.include_router(deliveries_api.create_router(deliveries))
        app.include_router(delivery_pages.create_router(deliveries, render))
    if ledger is not None:
        app.include_router(ledger_api.create_router(ledger))
    if reconciliation is not None:
        app.include_router(reconciliation_api.create_router(reconciliation))
        app.include_router(reconciliation_pages.create_router(reconciliation, render))
    if notifier is not None:
        app.include_router(notifications.create_router(notifier))
    if single_images is not None:
        app.include_router(single_image.create_router(*single_images))
        app.include_router(try_pages.create_router(single_images[0], render))
    app.include_router(docs.create_router(render))
    app.include_router(serving.create_router(ohif_dir, site=node_info.site, render=render))
    install_document(app)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_middleware(SecurityHeaders)


def _undescribed(_study_instance_uid: str, _series_instance_uid: str) -> None:
    return None
