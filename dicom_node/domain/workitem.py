"""Work items: Unified Procedure Steps, their states, and what a change to one brings about.

References
----------
PS3.3 §B.26 (UPS IOD), PS3.4 Annex CC (states, operations and their status codes), PS3.18 §11.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dicom_node.domain.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


#: A data set in the DICOM JSON Model (PS3.18 Annex F), by tag.
Model: TypeAlias = dict[str, Any]

UPS_PUSH_SOP_CLASS: Final = "1.2.840.10008.5.1.4.34.6.1"
#: Well-known UIDs that stand for the whole worklist, and for a filtered part of it (PS3.4 §CC.2.3).
WORKLIST_UID: Final = "1.2.840.10008.5.1.4.34.5"
FILTERED_WORKLIST_UID: Final = "1.2.840.10008.5.1.4.34.5.1"
#: `Workitem.performer` where the node itself performs.
THIS_NODE: Final = "\\node"

SOP_CLASS_UID, SOP_INSTANCE_UID, TRANSACTION_UID = "00080016", "00080018", "00081195"
CHARACTER_SET = "00080005"
STATE, PRIORITY, READINESS = "00741000", "00741200", "00404041"
PROGRESS_INFORMATION, PERFORMED_PROCEDURE = "00741002", "00741216"
STATION_NAME_CODES, HUMAN_PERFORMERS, WORKITEM_CODES = "00404025", "00404034", "00404018"
START_DATETIME, EXPIRATION_DATETIME, MODIFICATION_DATETIME = "00404005", "00404008", "00404010"
WORKLIST_LABEL, STEP_LABEL, PATIENT_ID = "00741202", "00741204", "00100020"
INPUT_INFORMATION, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = "00404021", "0020000D", "0020000E"
CANCELLATION_DATETIME, CANCELLATION_REASON = "00404052", "00741238"
DISCONTINUATION_CODES, CONTACT_URI, CONTACT_NAME = "0074100E", "0074100A", "0074100C"
COMMUNICATIONS = "00741008"


class WorkitemState(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Whether nothing comes after it."""
        return self in {WorkitemState.COMPLETED, WorkitemState.CANCELED}


class Refusal(Enum):
    """Why a request to a work item is refused: status of PS3.4 Annex CC, and what it says.

    The texts are those of PS3.18 §11.6.3.2 and §11.7.3.2 where these have one.
    """

    MISSING_ATTRIBUTE = 0x0120
    INVALID_VALUE = 0x0106
    NO_LONGER_UPDATABLE = 0xC300
    TRANSACTION_UID = 0xC301
    ALREADY_IN_PROGRESS = 0xC302
    ONLY_CREATED_SCHEDULED = 0xC303
    FINAL_STATE_NOT_MET = 0xC304
    NOT_SCHEDULED = 0xC309
    NOT_IN_PROGRESS = 0xC310
    ALREADY_COMPLETED = 0xC311
    PERFORMER_NOT_REACHED = 0xC312
    PERFORMER_GOES_ON = 0xC313


class WorkitemRefused(Conflict):
    """A request that the work item's state or the rules of its attributes refuse.

    Parameters
    ----------
    why
        Decides the status that a client gets.
    message
        Names attributes and says what to do; carries no value.
    missing
        Whether the Transaction UID was not given at all, for `Refusal.TRANSACTION_UID`.
    """

    code = "workitem-refused"

    def __init__(self, message: str, why: Refusal = Refusal.INVALID_VALUE, *, missing: bool = False) -> None:
        super().__init__(message)
        self.why = why
        self.missing = missing


@dataclass(frozen=True, slots=True)
class RunLink:
    """The run of the pipeline that performs a work item."""

    study_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Workitem:
    """One Unified Procedure Step. Its attributes identify a patient: sealed at rest, never logged.

    Attributes
    ----------
    uid
        SOP Instance UID.
    attributes
        The whole data set but the Transaction UID, which only its owner may know.
    transaction_uid
        Of who claimed it; stays after the end.
    performer
        AE title of who claimed it, `THIS_NODE`, or `None` where it is not known.
    run
        The run that the node performs it with.
    asked
        Names of the sources that its input was asked for.
    """

    uid: str
    state: WorkitemState
    attributes: Model
    created_at: datetime
    modified_at: datetime
    transaction_uid: str | None = None
    performer: str | None = None
    run: RunLink | None = None
    asked: tuple[str, ...] = ()

    @property
    def progress(self) -> Model:
        """The item of the Procedure Step Progress Information Sequence, empty where there is none."""
        found = items(self.attributes, PROGRESS_INFORMATION)
        return found[0] if found else {}


@dataclass(frozen=True, slots=True)
class WorkitemQuery:
    """A search of the worklist.

    Attributes
    ----------
    matches
        Tag, or path of tags joined by ".", to the raw value as sent.
    fuzzy
        Whether names match as spoken rather than as written.
    empty, multiple
        Whether empty values, and each value of a list, can be asked for (PS3.18 §8.3.4.5 and §8.3.4.6).
    """

    matches: dict[str, str]
    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class WorkitemPage:
    """A page of matches, and how many there are in all."""

    items: Sequence[Workitem]
    total: int


def first(model: Model, tag: str) -> Any:
    """The first value of an attribute, `None` where it is absent or empty."""
    values = model.get(tag, {}).get("Value")
    return values[0] if values else None


def items(model: Model, tag: str) -> list[Model]:
    """The items of a sequence."""
    return [item for item in model.get(tag, {}).get("Value") or () if isinstance(item, dict)]


def has_value(model: Model, tag: str) -> bool:
    """Whether an attribute is there and not empty."""
    attribute = model.get(tag, {})
    values = attribute.get("Value") or ()
    return any(v not in (None, "") for v in values) or bool(attribute.get("InlineBinary"))


def attribute(vr: str, *values: Any) -> Model:
    """An attribute in the DICOM JSON Model."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def coded(value: str, scheme: str, meaning: str) -> Model:
    """An item of a code sequence."""
    return {
        "00080100": attribute("SH", value),
        "00080102": attribute("SH", scheme),
        "00080104": attribute("LO", meaning),
    }


def dicom_datetime(moment: datetime) -> str:
    """A DT value with its offset from UTC."""
    return moment.strftime("%Y%m%d%H%M%S.%f%z")
