"""What the REST API answers, as pydantic models (they are the OpenAPI schemas too)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import Completion, Stage, StudyState

if TYPE_CHECKING:
    from dicom_node.domain.deidentification import DeidentificationReport
    from dicom_node.domain.run import RoutingDecision
    from dicom_node.domain.study import StudyRecord


class Received(BaseModel):
    """What came in."""

    instances: int
    bytes: int


class RunOut(BaseModel):
    """One model on one series."""

    model: str
    version: str
    status: RunStatus
    reason: str | None
    label: str | None
    confidence: Annotated[float | None, Field(description="0 to 1")]


class ResultOut(BaseModel):
    """One result object; `/dicom-web` serves it under these UIDs."""

    kind: ResultKind
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str


class DeliveryOut(BaseModel):
    """All results of the current version to one destination."""

    destination: str
    status: DeliveryStatus
    attempts: int


class StudyOut(BaseModel):
    """A study; all UIDs are pseudonymous."""

    id: str
    study_instance_uid: str
    state: StudyState
    stage: Annotated[Stage | None, Field(description="the step that works on it now")]
    version: Annotated[int, Field(description="counts up when late instances arrive")]
    modalities: list[str]
    body_part: str | None
    received: Received
    runs: list[RunOut]
    results: list[ResultOut]
    deliveries: list[DeliveryOut]
    purged_at: datetime | None
    reason: Annotated[str | None, Field(description="why it ended as it did")]
    completed_by: Annotated[
        Completion | None,
        Field(description="why it was taken as complete: quiet time, the sender's count, a call, a pull"),
    ] = None

    @classmethod
    def of(cls, study: StudyRecord) -> StudyOut:
        """From the index's record."""
        return cls(
            id=study.id,
            study_instance_uid=study.study_instance_uid,
            state=study.state,
            stage=study.stage,
            version=study.version,
            modalities=list(study.modalities),
            body_part=study.body_part,
            received=Received(instances=study.received_instances, bytes=study.received_bytes),
            runs=[
                RunOut(
                    model=run.model,
                    version=run.version,
                    status=run.status,
                    reason=run.reason,
                    label=run.label,
                    confidence=run.confidence,
                )
                for run in study.runs
            ],
            results=[
                ResultOut(
                    kind=result.kind,
                    sop_class_uid=result.sop_class_uid,
                    series_instance_uid=result.series_instance_uid,
                    sop_instance_uid=result.sop_instance_uid,
                )
                for result in study.results
            ],
            deliveries=[
                DeliveryOut(
                    destination=delivery.destination, status=delivery.status, attempts=delivery.attempts
                )
                for delivery in study.deliveries
            ],
            purged_at=study.purged_at,
            reason=study.reason,
            completed_by=study.completed_by,
        )


class StudyPage(BaseModel):
    """A page of studies, newest first."""

    studies: list[StudyOut]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page; null on the last")]


class ReasonOut(BaseModel):
    """One recorded decision."""

    subject: Annotated[str, Field(description="pseudonymous Series Instance UID, or a model")]
    rule: str
    passed: bool
    text: str


class AssignmentOut(BaseModel):
    """A series that a model shall work on."""

    model: str
    model_version: str
    series_instance_uid: str
    route: str
    needs: list[str] = []


class RoutingOut(BaseModel):
    """What the router decided, with every reason."""

    study_id: str
    version: int
    modalities: list[str]
    body_part: str | None
    assignments: list[AssignmentOut]
    reasons: list[ReasonOut]
    rejection: str | None

    @classmethod
    def of(cls, study_id: str, version: int, decision: RoutingDecision) -> RoutingOut:
        """From the index's record."""
        return cls(
            study_id=study_id,
            version=version,
            modalities=list(decision.modalities),
            body_part=decision.body_part,
            assignments=[
                AssignmentOut(
                    model=a.model,
                    model_version=a.model_version,
                    series_instance_uid=a.series_instance_uid,
                    route=a.route,
                    needs=list(a.needs),
                )
                for a in decision.assignments
            ],
            reasons=[
                ReasonOut(subject=r.subject, rule=r.rule, passed=r.passed, text=r.text)
                for r in decision.reasons
            ],
            rejection=decision.rejection,
        )


class CodedOptionOut(BaseModel):
    """The profile or one of its options, by its code of CID 7050 (PS3.16)."""

    code: str
    meaning: str


class RedactedBoxOut(BaseModel):
    """A rectangle that was blacked out, in pixels from the upper left corner."""

    x: int
    y: int
    width: int
    height: int
    frames: Annotated[str, Field(description="frame numbers counted from 1: `all`, `7` or `3-9`")]
    source: Annotated[str, Field(description="ultrasound-region, device-catalogue or text")]
    instances: int


class DeidentificationOut(BaseModel):
    """What de-identification did to a study; counts, never a value."""

    study_id: str
    version: int
    profile: str
    options: list[CodedOptionOut]
    instances: Annotated[int, Field(description="how many passed")]
    actions: Annotated[
        dict[str, dict[str, int]],
        Field(description="attribute keyword to rule (an action of PS3.15 Table E.1-1, or beyond) to count"),
    ]
    by_rule: Annotated[dict[str, int], Field(description="the same over all attributes")]
    pixels: Annotated[dict[str, int], Field(description="instances by what became of their pixels")]
    boxes: list[RedactedBoxOut]
    risks: Annotated[dict[str, int], Field(description="what nobody looked at, or an option left in")]
    quarantined: Annotated[dict[str, int], Field(description="reason to instances that were kept back")]

    @classmethod
    def of(cls, study_id: str, version: int, report: DeidentificationReport) -> DeidentificationOut:
        """From the index's record."""
        return cls(study_id=study_id, version=version, by_rule=report.by_rule(), **report.as_json())


class UploadedFile(BaseModel):
    """What became of one file of an upload; `index` counts from 0 in the order sent."""

    index: int
    outcome: Annotated[str, Field(description="stored, duplicate, conflict or failed")]
    study_id: str | None = None
    code: str | None = None
    detail: str | None = None


class UploadOut(BaseModel):
    """What became of an upload. File names are not repeated: they may hold identity."""

    taken: Annotated[int, Field(description="files that are safe in the node now")]
    failed: int
    studies: Annotated[list[str], Field(description="ids of the studies that they belong to")]
    files: list[UploadedFile]


class ProblemOut(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
