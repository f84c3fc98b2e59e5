"""`/api/studies`: the list, one study, and the explicit completion call."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query

from dicom_node.domain.study import StudyState
from viewer.api.schemas import ProblemOut, StudyOut, StudyPage
from viewer.problems import Problem, ProblemRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicom_node.ports.identity import Pseudonymizer
    from dicom_node.ports.operation import AuditLog
    from dicom_node.ports.studies import StudyIndex

_UID = re.compile(r"[0-9.]{1,64}")

StudyId = Annotated[str, Path(description="the node's own id of the study", max_length=64)]
Uid = Annotated[str | None, Query(max_length=64)]
_PROBLEM: dict[str, Any] = {"model": ProblemOut}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: _PROBLEM}


def create_router(
    *,
    index: StudyIndex,
    pseudonymizer: Pseudonymizer,
    audit: AuditLog,
    complete: Callable[[str], object],
) -> APIRouter:
    """Routes below `/api`.

    Parameters
    ----------
    complete
        Takes a receiving study on to the pipeline at once, by its id.
    """
    router = APIRouter(prefix="/api", tags=["studies"], route_class=ProblemRoute)

    @router.get("/studies", responses={400: _PROBLEM})
    def list_studies(
        state: StudyState | None = None,
        study_instance_uid: Annotated[Uid, Query(description="the pseudonymous one")] = None,
        original_study_instance_uid: Annotated[
            Uid, Query(description="the one the sender used; each such question is audited")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        cursor: Annotated[str | None, Query(max_length=256)] = None,
    ) -> StudyPage:
        """List studies, newest first."""
        uid = study_instance_uid
        if original_study_instance_uid is not None:
            uid = _one_of(uid, _pseudonymous(original_study_instance_uid, pseudonymizer))
        page = _page(index, state, uid, limit, cursor)
        if original_study_instance_uid is not None:
            # Durable before the answer leaves; only what the node calls the study.
            found = page.studies[0].id if page.studies else None
            audit.record("study.looked_up_by_original_uid", study_id=found, found=bool(page.studies))
        return page

    @router.get("/studies/{study_id}", responses=NOT_FOUND)
    def get_study(study_id: StudyId) -> StudyOut:
        """Get one study."""
        return StudyOut.of(index.study(study_id))

    @router.post("/studies/{study_id}/complete", status_code=HTTPStatus.ACCEPTED, responses=NOT_FOUND)
    def complete_study(study_id: StudyId) -> StudyOut:
        """Say that all instances are there: the pipeline starts at once.

        A study that is not receiving stays as it is, so the call may be repeated.
        """
        if index.study(study_id).state is StudyState.RECEIVING:
            complete(study_id)
        return StudyOut.of(index.study(study_id))

    return router


def _page(
    index: StudyIndex, state: StudyState | None, uid: str | None, limit: int, cursor: str | None
) -> StudyPage:
    try:
        studies, following = index.studies(state=state, study_instance_uid=uid, limit=limit, cursor=cursor)
    except ValueError as exc:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "invalid-cursor",
            "cursor is none that this node gave; start without it",
        ) from exc
    return StudyPage(studies=[StudyOut.of(study) for study in studies], next_cursor=following)


def _one_of(given: str | None, looked_up: str) -> str:
    if given is not None and given != looked_up:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "contradiction",
            "study_instance_uid and original_study_instance_uid name different studies; give one",
        )
    return looked_up


def _pseudonymous(original: str, pseudonymizer: Pseudonymizer) -> str:
    if not _UID.fullmatch(original):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "invalid-uid",
            "original_study_instance_uid is no UID: up to 64 digits and dots (PS3.5 §9)",
        )
    return pseudonymizer.uid(original)
