"""What a PACS administrator should know about how the DIMSE side can be reached."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from dicom_node.security.certificates import ends_at
from dicom_node.settings_base import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dicom_node.settings_dimse import DimseSettings

#: Days before the end of a certificate from which on people are told.
_SOON_DAYS = 30


def exposures(dimse: DimseSettings, now: dt.datetime) -> Iterator[str]:
    """What is open further than it looks, and which certificates end soon; each with what to do."""
    if not is_loopback(dimse.host):
        if not dimse.knows_callers:
            yield (
                f"any caller that reaches {dimse.host} may {' and '.join(dimse.other_services) or 'echo'}:"
                " set dimse.allow_list to true, and name the callers in dimse.peers"
            )
        loose = [peer.name for peer in dimse.peers if not peer.hosts and not _is_bound(dimse, peer.name)]
        if dimse.allow_list and loose:
            yield (
                f"an AE title is enough to call as {', '.join(loose)}: set dimse.peers[].hosts to where"
                " they call from"
            )
        if dimse.tls is None:
            yield "patients cross the network unencrypted: set dimse.tls where the network is not trusted"
    files = [] if dimse.tls is None else [("dimse.tls", dimse.tls.certificate_file)]
    files += [
        (f"peer {peer.name}", peer.tls.certificate_file)
        for peer in dimse.peers
        if peer.tls is not None and peer.tls.certificate_file is not None
    ]
    for whose, path in files:
        yield from _ending(whose, path, now)


def _is_bound(dimse: DimseSettings, name: str) -> bool:
    for peer in dimse.peers:
        if peer.name == name:
            return bool(peer.users or dimse.users) or (peer.tls is not None and peer.tls.binds_caller)
    return False


def _ending(whose: str, path: Path, now: dt.datetime) -> Iterator[str]:
    end = ends_at(path)
    if end is None:
        return  # whoever loads it says so
    left = end - now
    if left < dt.timedelta():
        yield f"{whose}: the certificate in {path} has expired: renew it, the node reads it by itself"
    elif left < dt.timedelta(days=_SOON_DAYS):
        yield f"{whose}: the certificate in {path} ends in {left.days} days: renew it"
