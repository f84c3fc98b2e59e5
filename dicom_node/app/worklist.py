"""The worklist put together: its store, its service, and the node as a performer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from dicom_node.domain.errors import NodeError
from dicom_node.domain.workitem import coded
from dicom_node.domain.workitem_events import node_status
from dicom_node.pipeline.polling import PollingThread
from dicom_node.pipeline.worklist import EventSignal, WorklistService
from dicom_node.pipeline.worklist_output import OutputAddress
from dicom_node.pipeline.worklist_performer import Performer, PerformerRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.pipeline.services import Services
    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.pulls import Pulls
    from dicom_node.ports.worklist import InputSource, Worklist
    from dicom_node.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds between two looks at work items.
LOOK_S: Final = 0.5
#: Seconds that subscribers have to take the news that the node goes down.
FAREWELL_S: Final = 2.0
#: How long events wait for a subscriber that is away.
EVENTS_KEPT: Final = timedelta(days=1)


def build_worklist(
    settings: Settings, services: Services, store: Callable[[Callable[[], None]], Worklist]
) -> WorklistService:
    """The worklist service.

    Parameters
    ----------
    store
        Opens the work items; what it is given is to be called after events were queued.
    """
    signal = EventSignal()
    return WorklistService(
        store(signal.notify),
        services.clock,
        services.audit,
        services.metrics,
        signal,
        default_label=settings.worklist.label,
    )


@dataclass(frozen=True, slots=True)
class WorklistWork:
    """What goes on beside requests.

    Attributes
    ----------
    start
        Tells subscribers of the restart, and starts performing.
    stop
        Stops performing; what is claimed goes on at the next start.
    expire
        Deletes what ended long ago.
    farewell
        Tells subscribers that listen that the node goes down, and ends their connections.
    """

    start: Callable[[], None]
    stop: Callable[[], None]
    expire: Callable[[], int]
    farewell: Callable[[], None]


def build_worklist_work(
    settings: Settings,
    services: Services,
    worklist: WorklistService,
    *,
    pseudonymizer: Pseudonymizer,
    complete: Callable[[str], object],
    source: InputSource | None = None,
) -> WorklistWork:
    """The node as a performer, and the worklist's upkeep."""
    performer = Performer(
        worklist,
        _rules(settings),
        index=services.index,
        vault=services.vault,
        pseudonymizer=pseudonymizer,
        clock=services.clock,
        complete=complete,
        source=source,
    )
    polling = PollingThread("worklist", performer.tick, every_s=LOOK_S)

    def start() -> None:
        worklist.store.announce(node_status("RESTARTED"))
        if settings.worklist.perform:
            polling.start()

    def expire() -> int:
        now = services.clock.now()
        kept = timedelta(days=settings.worklist.retention_days)
        return worklist.store.expire(now - kept, now - EVENTS_KEPT)

    def farewell() -> None:
        if worklist.signal.heard:
            try:
                worklist.store.announce(node_status("GOING DOWN"))
            except NodeError as exc:
                log.warning("worklist.farewell_failed", code=exc.code)
        worklist.signal.close(FAREWELL_S)

    return WorklistWork(start, polling.stop, expire, farewell)


class PulledInput:
    """`ports.InputSource` over the configured archives.

    Parameters
    ----------
    urls
        DICOMweb base URL of each source that has one, by its name.
    names
        Name of the source by AE title: that of the DICOM peer of the same name.
    """

    def __init__(self, pulls: Pulls, urls: dict[str, str], names: dict[str, str]) -> None:
        self._pulls = pulls
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._names = names

    def source_for(self, url: str | None, ae_title: str | None) -> str | None:
        """See `ports.InputSource.source_for`."""
        if url is None:
            return self._names.get((ae_title or "").strip())
        fitting = [n for n, base in self._urls.items() if url == base or url.startswith(f"{base}/")]
        return max(fitting, key=lambda name: len(self._urls[name]), default=None)

    def request(self, source: str, study_instance_uid: str) -> None:
        """See `ports.InputSource.request`."""
        self._pulls.request(source, study_instance_uid)


def build_input_source(settings: Settings, pulls: Pulls) -> PulledInput:
    """Where work items may have their input fetched from."""
    urls = {source.name: source.url for source in settings.dicomweb.sources}
    names = {
        peer.ae_title.strip(): peer.name
        for peer in settings.dimse.peers
        if peer.name in urls or peer.retrieve != "none"
    }
    return PulledInput(pulls, urls, names)


def _rules(settings: Settings) -> PerformerRules:
    station = settings.worklist.station
    return PerformerRules(
        station=coded(
            station.value or settings.dimse.ae_title, station.scheme, station.meaning or settings.node.site
        ),
        codes=tuple(
            coded(code.value, code.scheme, code.meaning) for code in settings.worklist.workitem_codes
        ),
        addresses=_addresses(settings),
    )


def _addresses(settings: Settings) -> dict[str, OutputAddress]:
    ae_titles = {peer.name: peer.ae_title for peer in settings.dimse.peers}
    return {
        destination.name: OutputAddress(
            original_identity=destination.identity == "original",
            ae_title=ae_titles.get(destination.peer or "") if destination.kind == "dimse" else None,
            url=destination.url if destination.kind == "stow" else None,
        )
        for destination in settings.destinations
    }
