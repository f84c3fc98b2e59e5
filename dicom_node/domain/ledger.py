"""What became of each instance that came in and each object that was made, with counts that add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from dicom_node.domain.delivery import DeliveryStatus
    from dicom_node.domain.result import ResultKind
    from dicom_node.domain.run import RunStatus
    from dicom_node.domain.study import StudyState


class InstanceOutcome(StrEnum):
    """What de-identification made of an instance."""

    DEIDENTIFIED = "deidentified"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class InstanceRun:
    """A model's run that took an instance, with its series."""

    model: str
    version: str
    status: RunStatus


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """One instance that came in. UIDs are pseudonymous, times UTC.

    Attributes
    ----------
    id
        Counts up with arrival.
    source
        Who sent it by which way, as in `IncomingInstance`.
    version
        The version that took it in.
    outcome
        `None`: not de-identified yet, or before the ledger. `rule` names what kept it back.
    outcome_version
        The version that de-identified it last.
    """

    id: int
    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    modality: str | None
    size: int
    source: str
    received_at: datetime
    version: int
    outcome: InstanceOutcome | None
    rule: str | None
    outcome_version: int | None
    outcome_at: datetime | None
    purged_at: datetime | None
    runs: tuple[InstanceRun, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultDelivery:
    """How one object stands at one destination."""

    destination: str
    status: DeliveryStatus
    attempts: int
    sent_at: datetime | None
    confirmed_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class MadeResult:
    """One object that the node made.

    Attributes
    ----------
    size, sha256
        Of its bytes as stored; `None` where it was made before the ledger.
    passed
        What the output gate said; `None` before it spoke. `problem` is why it was kept back.
    """

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    kind: ResultKind
    version: int
    model: str
    model_version: str
    size: int | None = None
    sha256: str | None = None
    made_at: datetime | None = None
    passed: bool | None = None
    problem: str | None = None
    checked_at: datetime | None = None
    expired_at: datetime | None = None
    deliveries: tuple[ResultDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the output gate said of one object; `problem` is `None` where it passed."""

    sop_instance_uid: str
    problem: str | None
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version of a study, and when it came how far."""

    version: int
    instances: int
    completed_at: datetime | None = None
    completed_by: str | None = None
    deidentified_at: datetime | None = None
    processed_at: datetime | None = None
    ended_at: datetime | None = None
    state: StudyState | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class InstanceCounts:
    """Instances by what became of them last: received = deidentified + quarantined + waiting + withdrawn.

    Attributes
    ----------
    withdrawn
        Purged, or deleted by a person, before they were de-identified.
    purged
        Of all, those whose bytes are gone.
    """

    received: int = 0
    deidentified: int = 0
    quarantined: int = 0
    waiting: int = 0
    withdrawn: int = 0
    purged: int = 0


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """Objects of the current version: made = passed + kept_back + unchecked."""

    made: int = 0
    passed: int = 0
    kept_back: int = 0
    unchecked: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class DestinationCounts:
    """Objects of the current version for one destination.

    objects = confirmed + sent + waiting + dead + discarded; passed = objects + left_out, where a
    destination does not want every kind.
    """

    destination: str
    objects: int
    confirmed: int = 0
    sent: int = 0
    waiting: int = 0
    dead: int = 0
    discarded: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class StudyLedger:
    """The ledger of a study in counts.

    Attributes
    ----------
    duplicates, conflicts
        Instances that came again: the same bytes, and other bytes under a known UID.
    discrepancies
        Sums that do not add up, in words for people; empty is good.
    """

    study_id: str
    study_instance_uid: str
    state: StudyState
    version: int
    instances: InstanceCounts
    results: ResultCounts
    deliveries: tuple[DestinationCounts, ...] = ()
    versions: tuple[VersionEntry, ...] = ()
    duplicates: int = 0
    conflicts: int = 0
    discrepancies: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """Instances of one sender that were refused for one reason."""

    source: str
    code: str
    count: int
    first_at: datetime
    last_at: datetime
