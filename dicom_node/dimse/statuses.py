"""What a C-STORE is answered: the one table from errors and outcomes to DIMSE statuses.

=========  ==========================================  =================================================
Status     Meaning (PS3.4 Table B.2-1, PS3.7 Annex C)  When
=========  ==========================================  =================================================
``0000``   Success                                     durable on disk and in the index; same bytes again
``0110``   Processing failure                          a store did not answer, or a fault of the node
``0111``   Duplicate SOP Instance                      other bytes under a known SOP Instance UID
``0122``   SOP Class not supported                     no Storage SOP Class of the standard
``0124``   Not authorised                              the peer may not store
``A700``   Out of resources                            the disk watermark is reached
``A701``   Out of resources                            the instance is larger than the node takes
``A900``   Data set does not match SOP Class           command, File Meta and data set disagree
``C000``   Cannot understand                           no readable data set
``C100``   Cannot understand                           a UID is missing or malformed
``C101``   Cannot understand                           a length points past the end
``C122``   Cannot understand                           the transfer syntax is not supported
=========  ==========================================  =================================================

A conflict is a failure, not a warning: the bytes that were sent are *not* kept, the first copy stays. No
warning status of PS3.4 says so, and a sender that reads success would never look again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.errors import (
    ArchiveFailed,
    ArchiveRefused,
    ConfigurationError,
    Conflict,
    DeliveryFailed,
    DeliveryRefused,
    EncodingFailed,
    Gone,
    InferenceFailed,
    InternalError,
    InvalidInstance,
    InvalidModelPackage,
    MissingIdentifier,
    ModelProcessFailed,
    NodeError,
    NotAuthorised,
    NotFound,
    NotificationFailed,
    OutOfResources,
    Quarantined,
    ReidentificationFailed,
    SearchTooBroad,
    SlotExpired,
    SopClassMismatch,
    StorageFailure,
    TruncatedDataset,
    UnsupportedSopClass,
    UnsupportedTransferSyntax,
)
from dicom_node.domain.instance import StoreOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS = 0x0000
TOO_LARGE = 0xA701
_COMMENT_LENGTH = 64  # VR LO, PS3.5 §6.2

STATUS_BY_ERROR: Mapping[type[NodeError], int] = {
    InvalidInstance: 0xC000,
    MissingIdentifier: 0xC100,
    TruncatedDataset: 0xC101,
    UnsupportedTransferSyntax: 0xC122,
    SopClassMismatch: 0xA900,
    UnsupportedSopClass: 0x0122,
    NotAuthorised: 0x0124,
    OutOfResources: 0xA700,
    StorageFailure: 0x0110,
    SlotExpired: 0x0110,
    InternalError: 0x0110,
    # A C-STORE cannot meet these; the table is total so that no surprise goes without a status.
    NotFound: 0x0110,
    Gone: 0x0110,
    Conflict: 0x0110,
    SearchTooBroad: 0x0110,
    Quarantined: 0x0110,
    ReidentificationFailed: 0x0110,
    InvalidModelPackage: 0x0110,
    InferenceFailed: 0x0110,
    EncodingFailed: 0x0110,
    ArchiveFailed: 0x0110,
    ArchiveRefused: 0x0110,
    ConfigurationError: 0x0110,
    DeliveryFailed: 0x0110,
    DeliveryRefused: 0x0110,
    NotificationFailed: 0x0110,
    ModelProcessFailed: 0x0110,
}
STATUS_BY_OUTCOME: Mapping[StoreOutcome, int] = {
    StoreOutcome.STORED: SUCCESS,
    StoreOutcome.DUPLICATE: SUCCESS,
    StoreOutcome.CONFLICT: 0x0111,
}


@dataclass(frozen=True, slots=True)
class DimseStatus:
    """A status with its Error Comment (0000,0902), which is empty on success."""

    code: int
    comment: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the instance is stored."""
        return self.code == SUCCESS


def status_of_error(error: NodeError) -> DimseStatus:
    """The status of an error, with the first sentence of its message as comment, at most 64 characters."""
    return DimseStatus(STATUS_BY_ERROR[type(error)], error_comment(str(error)))


def status_of_outcome(outcome: StoreOutcome) -> DimseStatus:
    """The status of an instance that the receive stage took."""
    code = STATUS_BY_OUTCOME[outcome]
    return DimseStatus(code, "" if code == SUCCESS else "other bytes are stored under this SOP Instance UID")


def error_comment(message: str) -> str:
    """Cut a message to what fits an LO value: one line of ASCII without backslash."""
    first = message.partition(";")[0]
    clean = "".join(c if " " <= c <= "~" and c != "\\" else " " for c in first)
    return clean[:_COMMENT_LENGTH].rstrip()


def describe(code: int) -> str:
    """A status that a peer answered, for people, as `C000 (cannot understand)`.

    The peer's own comment is left out: it may name the patient.
    """
    return f"{code:04X} ({_meaning(code)})"


def is_stored(code: int) -> bool:
    """Whether a status says that the peer keeps the instance: success, or a warning (PS3.4 Table B.2-1)."""
    return code in (0x0000, 0x0001, 0x0107, 0x0116) or code & 0xF000 == 0xB000


def may_pass(code: int) -> bool:
    """Whether the same instance may be taken another time: the peer is out of resources, or failed.

    What it says of the instance itself (not supported, not authorised, does not match, cannot understand)
    stays so.
    """
    return code & 0xFF00 == 0xA700 or code in (0x0110, 0x0210, 0x0213)


def _meaning(code: int) -> str:
    exact = {
        0x0000: "success",
        0x0110: "processing failure",
        0x0111: "duplicate SOP Instance",
        0x0117: "invalid SOP Instance",
        0x0122: "SOP Class not supported",
        0x0124: "not authorised",
        0x0210: "duplicate invocation",
        0x0211: "unrecognised operation",
        0x0212: "mistyped argument",
    }
    if code in exact:
        return exact[code]
    if code & 0xFF00 == 0xA700:
        return "out of resources"
    if code & 0xFF00 == 0xA900:
        return "data set does not match SOP Class"
    if code & 0xF000 == 0xC000:
        return "cannot understand"
    if code & 0xF000 == 0xB000:
        return "stored with a warning"
    return "unknown status"
