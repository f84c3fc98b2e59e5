"""What pages tell about the node they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RESEARCH_USE = "Research use only"
RESEARCH_USE_NOTICE = (
    "Not a medical device. Results are made by research software and must not be used for diagnosis,"
    " treatment or any other clinical decision."
)


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """The node, as pages and the empty state describe it.

    Attributes
    ----------
    site
        Name shown on pages (`node.site`).
    version
        Of the software.
    ae_title, dimse_host, dimse_port
        Where C-STORE goes; the port is a function, since a free one may be taken at the start.
    models
        (name, version) of the models that can run.
    tries_images
        Whether there is a page on which models are tried on single images.
    disk_note
        What people should know about the disks, or `None` while all is good.
    ledger_note
        The same about what did not fit at the last reconciliation.
    """

    site: str
    version: str
    ae_title: str
    dimse_host: str
    dimse_port: Callable[[], int]
    models: tuple[tuple[str, str], ...] = ()
    tries_images: bool = False
    disk_note: Callable[[], str | None] = lambda: None
    ledger_note: Callable[[], str | None] = lambda: None
