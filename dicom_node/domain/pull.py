"""Studies that the node fetches from an archive by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime


class PullState(StrEnum):
    """Where a pull stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    #: Some or all of what the archive counts did not arrive.
    FAILED = "failed"
    CANCELLED = "cancelled"


#: States that nothing changes any more.
PULL_ENDED = frozenset({PullState.DONE, PullState.FAILED, PullState.CANCELLED})


_WILD = frozenset("*?\\")


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """Which studies of an archive are meant; what is given must all match. Identity: never logged.

    Attributes
    ----------
    since, until
        Bounds of the Study Date, both included.
    modality
        Of any series in the study; it narrows the others and names no study by itself.
    """

    study_instance_uid: str | None = None
    accession_number: str | None = None
    patient_id: str | None = None
    since: date | None = None
    until: date | None = None
    modality: str | None = None

    @property
    def empty(self) -> bool:
        """Whether it names nothing: then it would mean all studies."""
        named = self.study_instance_uid or self.accession_number or self.patient_id
        return not named and self.since is None

    @property
    def keys(self) -> dict[str, str]:
        """What is given, by keyword, as an archive is asked for it (PS3.4 §C.2.2.2)."""
        keys = {
            "StudyInstanceUID": self.study_instance_uid,
            "AccessionNumber": self.accession_number,
            "PatientID": self.patient_id,
            "ModalitiesInStudy": self.modality,
        }
        given = {keyword: value for keyword, value in keys.items() if value is not None}
        if self.since is not None or self.until is not None:
            first, last = (f"{day:%Y%m%d}" if day else "" for day in (self.since, self.until))
            given["StudyDate"] = f"{first}-{last}"
        return given

    @property
    def has_wildcards(self) -> bool:
        """Whether an archive might take a value for more than it says."""
        return any(_WILD & set(value) for value in self.keys.values())


@dataclass(frozen=True, slots=True)
class ArchivedInstance:
    """An instance as an archive lists it. Identity: never logged."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull as it stands; without identity.

    Attributes
    ----------
    source
        Name of the configured archive.
    expected
        Instances that the archive counts; `None` until it was asked.
    received
        Instances that are safe in the node, those that were here before included.
    failed
        Instances that did not come, or were refused.
    study_ids
        The node's own ids of the studies that came in.
    """

    id: str
    source: str
    state: PullState
    created_at: datetime
    updated_at: datetime
    expected: int | None = None
    received: int = 0
    failed: int = 0
    study_ids: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PullWork:
    """What a pull still needs to know to go on after a restart. Identity: kept sealed.

    Attributes
    ----------
    complete
        Node's study id by original Study Instance UID, of studies that arrived whole: they are not asked
        for again, even where they have been processed and purged since.
    """

    query: StudyQuery
    complete: dict[str, str] = field(default_factory=dict)
