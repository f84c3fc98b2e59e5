"""What `/api/quarantine` takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.domain.quarantine import DeleteReason, QuarantineState, ReleaseReason

if TYPE_CHECKING:
    from dicom_node.domain.quarantine import QuarantinedInstance


class QuarantinedOut(BaseModel):
    """An instance that was kept back; nothing of it identifies a patient, its UID is pseudonymous."""

    id: str
    study_id: str
    version: Annotated[int, Field(description="the study's version that kept it back last")]
    sop_instance_uid: str
    sop_class_uid: str
    modality: str | None
    size: Annotated[int, Field(description="bytes as received")]
    rule: Annotated[str, Field(description="stable short name of the rule that it failed")]
    reason: str
    releasable: Annotated[bool, Field(description="whether a person can answer for it now")]
    state: QuarantineState
    created_at: datetime | None
    decided_at: datetime | None
    decided_by: Annotated[str | None, Field(description="`node` where a later run passed it by itself")]
    decision: Annotated[str | None, Field(description="why it was released or deleted")]

    @classmethod
    def of(cls, item: QuarantinedInstance) -> QuarantinedOut:
        """From the index's record."""
        return cls(
            id=item.id,
            study_id=item.study_id,
            version=item.version,
            sop_instance_uid=item.sop_instance_uid,
            sop_class_uid=item.sop_class_uid,
            modality=item.modality,
            size=item.size,
            rule=item.rule,
            reason=item.reason,
            releasable=item.releasable,
            state=item.state,
            created_at=item.created_at,
            decided_at=item.decided_at,
            decided_by=item.decided_by,
            decision=item.decision,
        )


class QuarantinePage(BaseModel):
    """A page, newest first."""

    quarantined: list[QuarantinedOut]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page; null on the last")]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str,
        Field(
            max_length=200, description="one of the fixed list; any other text counts as `other`, unrecorded"
        ),
    ] = "other"


class ReleaseIn(_Decision):
    """Why a person vouches: `nothing-identifies`, `no-patient` (a phantom, say) or `other`."""

    @property
    def known(self) -> ReleaseReason:
        """Free text could hold identity, so it is neither stored nor logged."""
        return ReleaseReason(self.reason) if self.reason in set(ReleaseReason) else ReleaseReason.OTHER


class DeleteIn(_Decision):
    """Why it goes: `identity-visible`, `not-needed`, `sent-by-mistake` or `other`."""

    @property
    def known(self) -> DeleteReason:
        """Free text could hold identity, so it is neither stored nor logged."""
        return DeleteReason(self.reason) if self.reason in set(DeleteReason) else DeleteReason.OTHER
