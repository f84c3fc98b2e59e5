"""Instances that de-identification kept back, and what a person decides about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class QuarantineState(StrEnum):
    """Where an instance in quarantine stands."""

    #: Encrypted under a key of its own, until a person decides.
    HELD = "held"
    #: Gone on into its study.
    RELEASED = "released"
    #: Bytes and key are destroyed.
    DELETED = "deleted"


class ReleaseReason(StrEnum):
    """Why a person vouches. A fixed list: free text could hold identity."""

    NOTHING_IDENTIFIES = "nothing-identifies"
    NO_PATIENT = "no-patient"
    OTHER = "other"


class DeleteReason(StrEnum):
    """Why a person deletes."""

    IDENTITY_VISIBLE = "identity-visible"
    NOT_NEEDED = "not-needed"
    SENT_BY_MISTAKE = "sent-by-mistake"
    OTHER = "other"


#: `decided_by` where a later run of the pipeline passed the instance without anybody's word.
BY_NODE = "node"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by whom and why.

    Attributes
    ----------
    by
        Name of an account, `local` where there are none, or `node`.
    reason
        One of `ReleaseReason` or `DeleteReason`, or `passed` by the node itself.
    """

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuarantinedInstance:
    """An instance that was kept back. No member identifies a patient; UIDs are pseudonymous.

    Attributes
    ----------
    id
        Its own, of 32 hexadecimal digits. Its bytes and its key lie under it.
    epoch, version
        Of the study when it was kept back last.
    sha256
        Of what was received, as in `SourceInstance`: a person vouches for these bytes only.
    rule
        Stable short name of the rule that it failed.
    vouchable
        Whether the rule asks what can be seen or read, so that a person who looked can answer for it.
        Rules about headers, structure and links are not: a look at the picture says nothing about them.
    reason
        The rule, the attribute and what to do; no value.
    ref
        Where its bytes lie; empty once they are gone from the quarantine.
    decision
        Why it was released or deleted.
    """

    id: str
    study_id: str
    epoch: int
    version: int
    sop_instance_uid: str
    sop_class_uid: str
    modality: str | None
    size: int
    sha256: str
    rule: str
    vouchable: bool
    reason: str
    ref: str
    state: QuarantineState = QuarantineState.HELD
    created_at: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decision: str | None = None

    @property
    def releasable(self) -> bool:
        """Whether a person can release it now."""
        return self.state is QuarantineState.HELD and self.vouchable


@dataclass(frozen=True, slots=True)
class Preview:
    """One frame as a picture, with its original pixels: identity.

    Attributes
    ----------
    png
        Its bytes.
    frames
        How many frames the instance has.
    """

    png: bytes
    frames: int
