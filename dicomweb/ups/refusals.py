"""What a refused request to a work item is answered: status and Warning header, by transaction.

References
----------
PS3.18 §11.4.3, §11.6.3, §11.7.3, §11.8.3; PS3.4 Tables CC.2.1-2, CC.2.2-2, CC.2.5-5 and CC.2.6-2.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from dicom_node.domain.workitem import Refusal
from dicomweb.errors import Problem

if TYPE_CHECKING:
    from dicom_node.domain.workitem import WorkitemRefused

_BAD: Final = HTTPStatus.BAD_REQUEST
_CONFLICT: Final = HTTPStatus.CONFLICT


class Transaction(Enum):
    """A transaction, by what its refusals say."""

    CREATE = "create"
    UPDATE = "update"
    CHANGE_STATE = "change-state"
    CANCEL = "cancel"
    SUBSCRIBE = "subscribe"


_INCONSISTENT_UPDATE: Final = "The submitted request is inconsistent with the current state of the Workitem."
_INCONSISTENT_STATE: Final = "The submitted request is inconsistent with the state of the UPS Instance."
_NOT_CLAIMED: Final = "The target URI did not reference a claimed Workitem."
_UID_MISSING, _UID_INCORRECT = "The Transaction UID is missing.", "The Transaction UID is incorrect."

_STATUS: Final = {
    (Transaction.UPDATE, Refusal.NOT_IN_PROGRESS): _CONFLICT,
    (Transaction.CHANGE_STATE, Refusal.NOT_IN_PROGRESS): _CONFLICT,
    (Transaction.CHANGE_STATE, Refusal.ALREADY_IN_PROGRESS): _CONFLICT,
    (Transaction.CHANGE_STATE, Refusal.NO_LONGER_UPDATABLE): _CONFLICT,
    (Transaction.CHANGE_STATE, Refusal.FINAL_STATE_NOT_MET): _CONFLICT,
    (Transaction.CANCEL, Refusal.ALREADY_COMPLETED): _CONFLICT,
    (Transaction.CANCEL, Refusal.PERFORMER_NOT_REACHED): _CONFLICT,
    (Transaction.CANCEL, Refusal.PERFORMER_GOES_ON): _CONFLICT,
}
_CANCEL_WARNINGS: Final = {
    Refusal.ALREADY_COMPLETED: "The UPS is already COMPLETED.",
    Refusal.PERFORMER_NOT_REACHED: "The performer cannot be contacted.",
    Refusal.PERFORMER_GOES_ON: "Performer chooses not to cancel.",
}


def problem_of_refusal(refused: WorkitemRefused, transaction: Transaction, agent: str) -> Problem:
    """The problem that stands for a refusal."""
    status = _STATUS.get((transaction, refused.why), _BAD)
    warning = _warning(refused, transaction)
    headers = {"Warning": f"299 {agent}: {warning}"} if warning else {}
    return Problem(status, str(refused), code=refused.code, headers=headers)


def _warning(refused: WorkitemRefused, transaction: Transaction) -> str | None:
    if transaction is Transaction.UPDATE:
        return _NOT_CLAIMED if refused.why is Refusal.NOT_IN_PROGRESS else _INCONSISTENT_UPDATE
    if transaction is Transaction.CHANGE_STATE:
        if refused.why is Refusal.TRANSACTION_UID:
            return _UID_MISSING if refused.missing else _UID_INCORRECT
        return _INCONSISTENT_STATE
    if transaction is Transaction.CANCEL:
        return _CANCEL_WARNINGS.get(refused.why)
    return None
