"""Files to a node by STOW-RS, for a person at a terminal.

References
----------
PS3.18 §10.5.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from dicom_node.domain.destination import Destination
from dicom_node.domain.errors import InvalidInstance
from dicomweb.client.connection import NO_ACCESS, Access, origin
from dicomweb.client.store import Outgoing, StowSender
from dicomweb.part10 import read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CHUNK: Final = 1024 * 1024


def send_files(
    paths: Sequence[Path],
    url: str,
    progress: Callable[[int], None] | None = None,
    *,
    access: Access = NO_ACCESS,
    timeout_s: float = 60.0,
) -> dict[str, str]:
    """Send files; each is read as it is sent.

    Parameters
    ----------
    progress
        Called with the count of files that are done, after each request.

    Returns
    -------
    dict
        Reasons of the files that were not taken, by file name.

    Raises
    ------
    DeliveryFailed
        If the destination is not there or refuses a request as a whole.
    """
    sender = StowSender(
        Destination(name=origin(url), original_identity=False), url=url, timeout_s=timeout_s, access=access
    )
    failures: dict[str, str] = {}
    files: dict[str, Path] = {}

    def readable() -> Iterator[Outgoing]:
        for path in paths:
            try:
                with path.open("rb") as file:
                    uid = read_identity(file).sop_instance_uid
                size = path.stat().st_size
            except (OSError, InvalidInstance):
                failures[path.name] = "cannot be read as a DICOM file"
            else:
                files[uid] = path
                yield Outgoing(uid, size, partial(_read, path))

    report = sender.send_all(
        readable(), lambda count: progress(count + len(failures)) if progress is not None else None
    )
    if progress is not None:
        progress(len(paths))
    return failures | {files[uid].name: reason for uid, reason in report.failures.items()}


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
