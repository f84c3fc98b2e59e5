"""A study on its way through the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.delivery import Delivery
    from dicom_node.domain.result import ResultEntry
    from dicom_node.domain.run import Run


class StudyState(StrEnum):
    """Where a study stands, as `/api/studies` shows it."""

    RECEIVING = "receiving"
    PROCESSING = "processing"
    DONE = "done"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    FAILED = "failed"


#: States in which the pipeline has ended for the current version.
ENDED = frozenset({StudyState.DONE, StudyState.REJECTED, StudyState.QUARANTINED, StudyState.FAILED})


class Completion(StrEnum):
    """Why a study was taken as complete."""

    #: Nothing came for the quiet time.
    QUIET = "quiet"
    #: All that its sender counts are here.
    COUNT = "count"
    #: Somebody said so.
    CALL = "call"
    #: A pull fetched all of it.
    PULL = "pull"


class Stage(StrEnum):
    """The steps of the pipeline, in their order."""

    DEIDENTIFY = "deidentify"
    ROUTE = "route"
    INFER = "infer"
    ENCODE = "encode"
    CHECK = "check"
    DELIVER = "deliver"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the bytes of a study lie: all of one epoch share a data key and are purged together.

    Attributes
    ----------
    study_id
        The node's own identifier of the study (no DICOM UID).
    epoch
        Counts the purges of this study; bytes written to an older epoch are gone.
    """

    study_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ReceivingStudy:
    """A study that instances still arrive for.

    Attributes
    ----------
    received_instances
        Of all that ever came, purged ones too, each counted once.
    """

    id: str
    version: int
    last_received_at: datetime
    received_instances: int


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent instances of a study that are in the spool.

    Attributes
    ----------
    source
        As `IncomingInstance.source` has it.
    spool_ref
        Where one of them lies, as it was received: identity.
    """

    source: str
    spool_ref: str


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as the index knows it. All UIDs are the pseudonymous ones.

    Attributes
    ----------
    completed_by
        Why the version that is worked on, or ended last, was taken as complete.
    """

    id: str
    study_instance_uid: str
    state: StudyState
    stage: Stage | None
    version: int
    epoch: int
    modalities: tuple[str, ...]
    body_part: str | None
    received_instances: int
    received_bytes: int
    created_at: datetime
    last_received_at: datetime
    ended_at: datetime | None
    purged_at: datetime | None
    reason: str | None
    runs: tuple[Run, ...] = ()
    results: tuple[ResultEntry, ...] = ()
    deliveries: tuple[Delivery, ...] = field(default=())
    completed_by: Completion | None = None

    @property
    def slot(self) -> Slot:
        """Where the bytes of the current epoch lie."""
        return Slot(self.id, self.epoch)
