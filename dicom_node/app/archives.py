"""The archives that the node fetches from, and asks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from dicom_node.app.access import build_access
from dicom_node.app.peers import build_address
from dicom_node.dimse.archive import DimseArchive, RetrieveWay
from dicom_node.dimse.archive_search import ArchiveSearch
from dicomweb.client.archive import DicomwebArchive
from dicomweb.client.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dicom_node.pipeline.sender_count import Counter
    from dicom_node.ports.archive import Archive, ArchiveOpener
    from dicom_node.ports.stores import ScratchFile
    from dicom_node.settings import Settings
    from dicom_node.settings_dimse import PeerSettings
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
    sources: dict[str, ArchiveOpener] = {
        source.name: partial(_dicomweb, source, open_scratch) for source in settings.dicomweb.sources
    }
    return sources | {
        peer.name: partial(_dimse, settings, peer) for peer in settings.dimse.peers if peer.retrieve != "none"
    }


def build_counters(settings: Settings) -> Mapping[str, Counter]:
    """Who says how many instances a study has, by `IncomingInstance.source`."""
    by_web = {source.name: source for source in settings.dicomweb.sources if source.count}
    counters: dict[str, Counter] = {}
    for peer in settings.dimse.peers:
        if peer.name in by_web:
            counters[_source_of(peer)] = _quick_dicomweb(by_web[peer.name]).count
        elif peer.count:
            counters[_source_of(peer)] = _quick_dimse(settings, peer).count
    return counters


def find_archive(settings: Settings, peer: PeerSettings) -> ArchiveSearch:
    """A DIMSE peer, to be searched by a person.

    Raises
    ------
    ConfigurationError
        If a certificate, a key or a passcode cannot be read.
    """
    return ArchiveSearch(peer.name, build_address(settings, peer), lambda: None)


def _source_of(peer: PeerSettings) -> str:
    """`IncomingInstance.source` of what a peer sends."""
    return f"dimse:{peer.ae_title.strip()}"


def _dimse(settings: Settings, peer: PeerSettings, wait: Callable[[float], object]) -> Archive:
    return DimseArchive(peer.name, build_address(settings, peer), RetrieveWay(peer.retrieve), wait=wait)


def _quick_dimse(settings: Settings, peer: PeerSettings) -> DimseArchive:
    address = build_address(settings, peer)
    address = replace(address, timeout_s=min(address.timeout_s, _COUNT_TIMEOUT_S))
    return DimseArchive(peer.name, address, RetrieveWay.GET, attempts=1)


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


def _quick_dicomweb(source: SourceSettings) -> DicomwebArchive:
    return DicomwebArchive(
        source.name,
        source.url,
        build_access(f"source {source.name}", source.access),
        timeout_s=min(source.timeout_s, _COUNT_TIMEOUT_S),
        retry=Retry(attempts=1),
    )
