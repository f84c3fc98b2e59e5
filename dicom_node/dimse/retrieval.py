"""One retrieval by C-GET or C-MOVE: what is asked for, and how its sub-operations ended.

References
----------
PS3.4 §C.4.2 (C-MOVE), §C.4.3 (C-GET).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dicom_node.dimse.find_scu import encoded_keys, encoding_of
from dicom_node.dimse.query_words import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.dimse.request_line import RequestLine
    from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused

_SUCCESS: Final = 0x0000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request asks for: a study, a series, or instances of one. Identity: never logged."""

    study_instance_uid: str
    series_instance_uid: str | None = None
    sop_instance_uids: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, str]:
        """The keys of its identifier."""
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": self.study_instance_uid}
        if self.series_instance_uid is not None:
            keys |= {"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": self.series_instance_uid}
        if self.sop_instance_uids:
            keys |= {"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "\\".join(self.sop_instance_uids)}
        return keys


@dataclass(frozen=True, slots=True)
class SubOperations:
    """How a request ended.

    Attributes
    ----------
    sent, failed
        How many instances the archive says it sent, and could not send.
    error
        What it answered where it failed as a whole; the association goes on.
    """

    sent: int
    failed: int
    error: ArchiveFailed | ArchiveRefused | None = None


def perform(
    line: RequestLine,
    name: str,
    what: tuple[str, int],
    context: Any,
    wanted: Wanted,
    tick: Callable[[], object],
    destination: str | None = None,
) -> SubOperations:
    """Ask, and wait for the last response.

    Parameters
    ----------
    what
        Name and Command Field of the request.

    Raises
    ------
    ArchiveFailed
        If the association ends.
    """
    identifier = encoded_keys(wanted.keys, encoding_of(context))
    sent = failed = 0
    error = None
    for response in line.ask(what[1], context, identifier, tick=tick, destination=destination):
        completed = (response.number(0x1021) or 0) + (response.number(0x1023) or 0)
        sent, failed = max(sent, completed), max(failed, response.number(0x1022) or 0)
        # A warning: some could not be sent, or were sent with a warning.
        if response.is_final and response.status != _SUCCESS and response.status & 0xF000 != 0xB000:
            error = refusal(name, what[0], response.status)
    return SubOperations(sent, failed, error)
