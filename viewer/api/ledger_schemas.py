"""What `/api/studies/{id}/ledger` answers; all UIDs are pseudonymous, all times UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.ledger import InstanceOutcome
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import StudyState

Cursor = Annotated[str | None, Field(description="`cursor` of the next page; null on the last")]


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class InstanceCountsOut(_Out):
    """received = deidentified + quarantined + waiting + withdrawn."""

    received: int
    deidentified: int
    quarantined: int
    waiting: int
    withdrawn: Annotated[int, Field(description="purged or deleted before they were de-identified")]
    purged: Annotated[int, Field(description="of all, those whose bytes are gone")]


class ResultCountsOut(_Out):
    """Of the current version: made = passed + kept_back + unchecked."""

    made: int
    passed: int
    kept_back: int
    unchecked: int
    expired: int


class DestinationCountsOut(_Out):
    """objects = confirmed + sent + waiting + dead + discarded; passed = objects + left_out."""

    destination: str
    objects: int
    confirmed: int
    sent: int
    waiting: int
    dead: int
    discarded: int
    left_out: Annotated[int, Field(description="passed, but of a kind that it does not want")]


class VersionEntryOut(_Out):
    """One version, and when it came how far; null where it has not, or where that was before the ledger."""

    version: int
    instances: Annotated[int, Field(description="how many it took in")]
    completed_at: datetime | None
    completed_by: str | None
    deidentified_at: datetime | None
    processed_at: datetime | None
    ended_at: datetime | None
    state: StudyState | None
    reason: str | None


class LedgerSummaryOut(_Out):
    """A study in counts."""

    study_id: str
    study_instance_uid: str
    state: StudyState
    version: int
    instances: InstanceCountsOut
    results: ResultCountsOut
    deliveries: list[DestinationCountsOut]
    versions: list[VersionEntryOut]
    duplicates: Annotated[int, Field(description="instances that came again with the same bytes")]
    conflicts: Annotated[int, Field(description="and with other bytes under a known UID, which were refused")]
    discrepancies: Annotated[list[str], Field(description="sums that do not add up; empty is good")]


class InstanceRunOut(_Out):
    """A model's run that took the instance."""

    model: str
    version: str
    status: RunStatus


class InstanceEntryOut(_Out):
    """One instance that came in."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    modality: str | None
    size: Annotated[int, Field(description="bytes as received")]
    source: Annotated[str, Field(description="who sent it by which way")]
    received_at: datetime
    version: Annotated[int, Field(description="the version that took it in")]
    outcome: Annotated[InstanceOutcome | None, Field(description="null: not de-identified yet")]
    rule: Annotated[str | None, Field(description="what kept it back")]
    outcome_version: int | None
    outcome_at: datetime | None
    purged_at: datetime | None
    runs: list[InstanceRunOut]


class ResultDeliveryOut(_Out):
    """How the object stands at one destination."""

    destination: str
    status: DeliveryStatus
    attempts: int
    sent_at: datetime | None
    confirmed_at: datetime | None
    reason: str | None


class MadeResultOut(_Out):
    """One object that the node made."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    kind: ResultKind
    version: int
    model: str
    model_version: str
    size: int | None
    sha256: Annotated[str | None, Field(description="of its bytes as stored")]
    made_at: datetime | None
    passed: Annotated[bool | None, Field(description="what the output gate said")]
    problem: str | None
    checked_at: datetime | None
    expired_at: datetime | None
    deliveries: list[ResultDeliveryOut]


class LedgerPage(BaseModel):
    """The counts, and a page of instances in the order of arrival."""

    summary: LedgerSummaryOut
    instances: list[InstanceEntryOut]
    next_cursor: Cursor


class ResultPage(BaseModel):
    """A page of objects, by version."""

    results: list[MadeResultOut]
    next_cursor: Cursor


class RefusalCountOut(_Out):
    """Instances of one sender that were refused for one reason."""

    source: str
    code: Annotated[str, Field(description="of the error")]
    count: int
    first_at: datetime
    last_at: datetime


class RefusalPage(BaseModel):
    """What was refused, the latest first."""

    refusals: list[RefusalCountOut]
