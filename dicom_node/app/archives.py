"""The archives that the node fetches from, and asks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from dicom_node.app.access import build_access
from dicomweb.client.archive import DicomwebArchive
from dicomweb.client.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dicom_node.pipeline.sender_count import Counter
    from dicom_node.ports.archive import Archive, ArchiveOpener
    from dicom_node.ports.stores import ScratchFile
    from dicom_node.settings import Settings
    from dicom_node.settings_sections import SourceSettings

#: A sender that takes longer to count does not answer: quiet decides then.
_COUNT_TIMEOUT_S: Final = 10.0


def build_archives(
    settings: Settings, open_scratch: Callable[[], ScratchFile]
) -> Mapping[str, ArchiveOpener]:
    """What studies can be fetched from, by name.

    Parameters
    ----------
    open_scratch
        Makes the file that an instance goes to which is too large for memory.
    """
    return {source.name: partial(_dicomweb, source, open_scratch) for source in settings.dicomweb.sources}


def build_counters(settings: Settings) -> Mapping[str, Counter]:
    """Who says how many instances a study has, by `IncomingInstance.source`."""
    ae_titles = {peer.name: peer.ae_title for peer in settings.dimse.peers}
    return {
        f"dimse:{ae_titles[source.name].strip()}": _quick(source).count
        for source in settings.dicomweb.sources
        if source.count and source.name in ae_titles
    }


def _dicomweb(
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


def _quick(source: SourceSettings) -> DicomwebArchive:
    return DicomwebArchive(
        source.name,
        source.url,
        build_access(f"source {source.name}", source.access),
        timeout_s=min(source.timeout_s, _COUNT_TIMEOUT_S),
        retry=Retry(attempts=1),
    )
