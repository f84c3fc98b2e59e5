"""Storage commitment: who promised to keep what.

References
----------
PS3.4 Annex J (Storage Commitment Service Class); PS3.3 §C.14 (Storage Commitment Module).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime


class FailureReason(IntEnum):
    """Why an instance was not committed (PS3.3 §C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    REFERENCED_SOP_CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


class CommitmentState(StrEnum):
    """How a request of ours stands."""

    #: No report came yet; it may come on any association, or never.
    PENDING = "pending"
    COMMITTED = "committed"
    #: One instance at least is not kept, or the request did not reach the peer.
    FAILED = "failed"


class CommitmentPolicy(StrEnum):
    """What this node promises to keep when it is asked."""

    #: It purges its inputs, so it promises nothing.
    NOTHING = "nothing"
    #: What it holds at the moment, until the purge.
    HELD = "held"
    #: What it has received at any time, purged or not.
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An instance as a commitment names it: the UIDs that both sides know. Identity: never logged."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a peer says of a transaction, or what this node says of one.

    Attributes
    ----------
    failures
        Failure Reason of each instance that is not kept.
    """

    transaction_uid: str
    committed: tuple[ObjectReference, ...]
    failures: dict[ObjectReference, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommitmentOutcome:
    """What became of a request of ours.

    Attributes
    ----------
    failures
        Failure Reason by SOP Instance UID of what is not kept; `NO_SUCH_OBJECT_INSTANCE` for what the
        report does not name. Identity where the objects went out with their original UIDs: never logged.
    reason
        In words, without identity; `None` unless `FAILED`.
    """

    state: CommitmentState
    requested_at: datetime
    ended_at: datetime | None = None
    failures: dict[str, int] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CommitmentOrder:
    """A request of a peer that this node has taken on, and still has to answer. Identity: kept sealed.

    Attributes
    ----------
    id
        The node's own.
    peer_ae_title
        Who asked.
    duplicate
        Whether the peer used this transaction UID before, for other instances: none is committed.
    attempts
        Reports that did not get through.
    """

    id: str
    peer_ae_title: str
    transaction_uid: str
    objects: tuple[ObjectReference, ...]
    duplicate: bool = False
    attempts: int = 0


def failures_of(
    requested: Collection[ObjectReference], committed: Collection[ObjectReference], failures: dict[str, int]
) -> dict[str, int]:
    """Failure Reason by SOP Instance UID of each requested instance that a report does not commit to.

    An instance that is reported under another SOP Class counts as not committed.

    Parameters
    ----------
    failures
        As reported, by SOP Instance UID.
    """
    kept = set(committed)
    return {
        one.sop_instance_uid: failures.get(one.sop_instance_uid, int(FailureReason.NO_SUCH_OBJECT_INSTANCE))
        for one in requested
        if one not in kept or one.sop_instance_uid in failures
    }


def describe(reason: int) -> str:
    """A Failure Reason in words."""
    try:
        return FailureReason(reason).name.lower().replace("_", " ")
    except ValueError:
        return f"failure reason {reason:04X}"
