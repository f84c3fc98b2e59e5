"""Failures of queries and retrievals that an archive answers, in words.

References
----------
PS3.4 Tables C.4-1, C.4-2, C.4-3; PS3.7 Annex C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dicom_node.domain.errors import ArchiveFailed, ArchiveRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an archive may do again later, all others being for good.
_PASSING: Final = frozenset({0xA700, 0xA701, 0xA702, 0xFE00, 0x0110, 0x0213})
_WORDS: Final[Mapping[int, str]] = {
    0x0110: "processing failure",
    0x0122: "SOP Class not supported",
    0x0124: "not authorised: let the node query and retrieve there",
    0x0211: "unrecognised operation",
    0x0213: "resource limitation",
    0xA700: "out of resources",
    0xA701: "out of resources: it cannot count the matches",
    0xA702: "out of resources: it cannot send",
    0xA801: "move destination unknown: add the node's AE title, host and port there",
    0xFE00: "cancelled",
}


def refusal(name: str, what: str, status: int) -> ArchiveFailed | ArchiveRefused:
    """The error of a failure status; an archive's own comment is left out, for it may name the patient."""
    words = _WORDS.get(status)
    if words is None:
        family = status & 0xF000
        if status & 0xFF00 == 0xA900:
            words = "the identifier does not match the SOP Class"
        else:
            words = "unable to process" if family == 0xC000 else "failed"
    text = f"{name}: answers {what} with {status:04X} ({words})"
    return ArchiveFailed(text) if status in _PASSING else ArchiveRefused(text)
