"""Fetching of studies from the configured archives, and asking their senders how many instances they have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dicom_node.app.archives import build_archives, build_counters
from dicom_node.pipeline.pull import PullService
from dicom_node.pipeline.pull_study import PullPorts
from dicom_node.pipeline.sender_count import CountedSenders
from dicom_node.storage.sealed_file import SealedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.app.services import Built
    from dicom_node.ports.ingest import Receiver
    from dicom_node.settings import Settings


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
    return PullService(
        PullPorts(
            store=built.pull_store,
            archives=build_archives(settings, partial(SealedFile, services.stores.scratch)),
            receiver=receiver,
            arrivals=built.arrivals,
            pseudonymizer=built.uids,
            clock=services.clock,
            complete=complete,
        ),
        services.audit,
    )


def build_sender_counts(settings: Settings, built: Built) -> CountedSenders:
    """Who can be asked for the count of what they send."""
    services = built.services
    return CountedSenders(
        built.arrivals,
        services.clock,
        build_counters(settings),
        services.stores.open,
        max_wait_s=settings.completion.max_wait_s,
    )
