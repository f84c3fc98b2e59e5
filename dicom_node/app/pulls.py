"""Fetching of studies from the configured archives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dicom_node.app.access import build_access
from dicom_node.pipeline.pull import PullService
from dicom_node.storage.sealed_file import SealedFile
from dicomweb.client.archive import DicomwebArchive
from dicomweb.client.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.app.services import Built
    from dicom_node.ports.archive import Archive
    from dicom_node.ports.ingest import Receiver
    from dicom_node.ports.stores import ScratchFile
    from dicom_node.settings import Settings
    from dicom_node.settings_sections import SourceSettings


def build_pulls(
    settings: Settings, built: Built, receiver: Receiver, complete: Callable[[str], object]
) -> PullService:
    """The service, not started.

    Parameters
    ----------
    complete
        Takes a receiving study on to the pipeline at once, by its id.
    """
    services = built.services
    open_scratch = partial(SealedFile, services.stores.scratch)
    return PullService(
        built.pull_store,
        {source.name: partial(_open, source, open_scratch) for source in settings.dicomweb.sources},
        receiver,
        services.index,
        built.uids,
        services.clock,
        services.audit,
        complete,
    )


def _open(
    source: SourceSettings, open_scratch: Callable[[], ScratchFile], wait: Callable[[float], object]
) -> Archive:
    return DicomwebArchive(
        source.name,
        source.url,
        build_access(f"source {source.name}", source.access),
        timeout_s=source.timeout_s,
        retry=Retry(wait=wait),
        open_scratch=open_scratch,
    )
