"""SOP Instances on their way in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class IncomingInstance:
    """One SOP Instance as a protocol edge hands it to the receive stage.

    Attributes
    ----------
    stream
        Seekable Part 10 bytes (preamble, File Meta, data set) at position 0. The edge keeps
        ownership and closes it.
    source
        Name of the sender for the ledger: `dimse:<calling AE title>`, `stow`, `upload`. Never a patient's.
    sop_class_uid, sop_instance_uid
        What the command set claimed, or `None` where the protocol claims nothing; the receive stage
        refuses an instance whose data set disagrees.
    """

    stream: BinaryIO
    source: str
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """The identifiers of an instance **as sent** (identity; never logged), and its encoding."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None


class StoreOutcome(StrEnum):
    """What became of an instance that was taken."""

    STORED = "stored"
    #: The same bytes were there already; nothing was written.
    DUPLICATE = "duplicate"
    #: Other bytes were there under the same SOP Instance UID; the first copy stays.
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Answer of the receive stage: bytes and index row are durable when it exists.

    `study_instance_uid` and the others are pseudonymous; `sent` holds what the sender called it.
    """

    outcome: StoreOutcome
    study_id: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sent: InstanceHeader


@dataclass(frozen=True, slots=True)
class SourceInstance:
    """An instance in the spool. UIDs are pseudonymous.

    Attributes
    ----------
    sha256
        Of the transfer syntax UID, a zero byte and the data set as received, hexadecimal. Preamble and File
        Meta do not count: by C-STORE the node writes them itself, so the same instance by another way in
        would seem to differ.
    size
        Bytes as received.
    version
        The run version that takes it in.
    spool_ref
        Where the spool holds the bytes.
    """

    study_id: str
    epoch: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str | None
    size: int
    sha256: str
    source: str
    spool_ref: str
    version: int = 0
