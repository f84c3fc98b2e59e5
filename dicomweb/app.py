"""The DICOMweb router: STOW-RS, QIDO-RS, WADO-RS and UPS-RS under one prefix.

Mount it under `/dicom-web`. All URLs that it gives out are built from the request. WADO-URI, which has one
path for all, comes with it as a router of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from dicom_node.pipeline.senders import OpenSenders
from dicomweb.capabilities.router import create_capabilities_router
from dicomweb.capabilities.studies import studies_transactions
from dicomweb.capabilities.worklist import worklist_transactions
from dicomweb.instance_cache import DEFAULT_BYTES, InstanceCache
from dicomweb.qido.completion import Completion
from dicomweb.qido.router import create_qido_router
from dicomweb.qido.service import SearchService
from dicomweb.stow.body import UploadLimits
from dicomweb.stow.router import create_stow_router
from dicomweb.stow.service import StoreService
from dicomweb.ups.router import create_ups_router
from dicomweb.uri.router import create_uri_router
from dicomweb.wado.rendered_router import create_rendered_router
from dicomweb.wado.router import create_wado_router
from dicomweb.wado.service import RetrieveService

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import BinaryIO

    from dicom_node.pipeline.worklist import WorklistService
    from dicom_node.ports.catalog import Catalog
    from dicom_node.ports.ingest import Receiver, Senders
    from dicom_node.ports.operation import Metrics


class DicomwebRouter(APIRouter):
    """The RESTful services.

    Attributes
    ----------
    uri
        The router of WADO-URI, which stands at the root of the server.
    """

    uri: APIRouter


def create_router(
    *,
    receiver: Receiver,
    catalog: Catalog,
    open_blob: Callable[[str], BinaryIO],
    metrics: Metrics,
    max_upload_bytes: int,
    service_name: str,
    cache_bytes: int = DEFAULT_BYTES,
    uploads: UploadLimits | None = None,
    worklist: WorklistService | None = None,
    worklist_hosts: Collection[str] = (),
    senders: Senders | None = None,
) -> DicomwebRouter:
    """All DICOMweb resources.

    Parameters
    ----------
    open_blob
        Opens the Part 10 bytes of a `CatalogEntry.ref`.
    max_upload_bytes
        Bytes of one STOW-RS body; more is answered 413.
    service_name
        Names the service in Warning headers; a token, no spaces.
    cache_bytes
        Bytes of recently read instances that are kept parsed in memory.
    uploads
        All bounds on STOW-RS bodies; `None`: `max_upload_bytes` and the defaults.
    worklist
        Work items; `None`: this node has none.
    worklist_hosts
        Host names besides loopback ones under which work items can be reached.
    senders
        Is told which studies a STOW-RS request brings while it is open.
    """
    cache = InstanceCache(open_blob, cache_bytes)
    retrieve = RetrieveService(catalog, cache)
    search = SearchService(catalog, Completion(catalog, lambda ref: cache.get(ref).dataset))
    agent = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "-" for c in service_name) or "node"
    limits = uploads or UploadLimits(max_upload_bytes)
    # What is asked for a thousand times comes first: routes are tried one after the other.
    services = _joined(
        create_stow_router(StoreService(receiver), metrics, limits, senders or OpenSenders()),
        create_wado_router(retrieve, metrics),
        create_rendered_router(retrieve, metrics, agent),
        create_qido_router(search, metrics),
        create_ups_router(worklist, metrics, agent, worklist_hosts),
    )
    transactions = (*studies_transactions(), *worklist_transactions())
    router = DicomwebRouter()
    capabilities = create_capabilities_router(services, transactions, metrics, agent)
    router.routes.extend((*services.routes, *capabilities.routes))
    router.uri = create_uri_router(retrieve, metrics, agent)
    return router


def _joined(*routers: APIRouter) -> APIRouter:
    """One router with the routes of several: each router within another costs every request some time."""
    joined = APIRouter()
    for router in routers:
        joined.routes.extend(router.routes)
    return joined
