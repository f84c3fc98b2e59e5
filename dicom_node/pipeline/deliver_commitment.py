"""A destination confirms by storage commitment what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.commitment import CommitmentState, ObjectReference, describe
from dicom_node.domain.delivery import Confirmation
from dicom_node.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.delivery import SentObject
    from dicom_node.ports.commitment import CommitmentRequester, Commitments


class CommitmentConfirmer:
    """`ports.Confirmer`: one transaction for all objects; its report may reach any process of the node."""

    def __init__(self, requester: CommitmentRequester, commitments: Commitments) -> None:
        self._requester = requester
        self._commitments = commitments

    def begin(self, objects: Sequence[SentObject]) -> str | None:
        """See `ports.Confirmer.begin`; the token is the transaction UID."""
        return self._requester.request(
            [ObjectReference(item.sop_class_uid, item.sop_instance_uid) for item in objects]
        )

    def look(self, objects: Sequence[SentObject], token: str | None) -> Confirmation:
        """See `ports.Confirmer.look`."""
        try:
            outcome = self._commitments.outcome(token or "")
        except NotFound:
            return Confirmation()  # forgotten for its age: asked again once the wait is over
        uids = frozenset(item.sop_instance_uid for item in objects)
        if outcome.state is CommitmentState.COMMITTED:
            return Confirmation(uids)
        if outcome.state is CommitmentState.PENDING:
            return Confirmation()
        if not outcome.failures:
            return Confirmation(missing=dict.fromkeys(uids, outcome.reason or "not committed"))
        missing = {uid: describe(code) for uid, code in outcome.failures.items() if uid in uids}
        return Confirmation(uids - missing.keys(), missing)
