"""What pages call things, in words: states, stages, kinds, sizes and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.uid import UID

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.pull import PullState
from dicom_node.domain.quarantine import DeleteReason, ReleaseReason
from dicom_node.domain.result import ResultKind
from dicom_node.domain.run import RunStatus
from dicom_node.domain.study import Completion, Stage, StudyState

if TYPE_CHECKING:
    from collections.abc import Callable


class Words(NamedTuple):
    """A short name, and what it means."""

    name: str
    meaning: str


STATES: dict[StudyState, Words] = {
    StudyState.RECEIVING: Words("Receiving", "Instances are coming in."),
    StudyState.PROCESSING: Words("Processing", "The pipeline is at work."),
    StudyState.DONE: Words("Done", "Results are ready."),
    StudyState.REJECTED: Words("Rejected", "The pipeline ended well, without a prediction."),
    StudyState.QUARANTINED: Words("Quarantined", "De-identification could not vouch for it; nothing left."),
    StudyState.FAILED: Words("Failed", "A step failed; the reason is below."),
}

PULLS: dict[PullState, Words] = {
    PullState.QUEUED: Words("Waiting", "Others are fetched first."),
    PullState.RUNNING: Words("Fetching", "Instances are coming in."),
    PullState.DONE: Words("Done", "All that the archive counts is here."),
    PullState.FAILED: Words("Failed", "Some of it or all did not arrive; the reason is below."),
    PullState.CANCELLED: Words("Cancelled", "A person ended it; what had arrived stays."),
}

#: Why a study was taken as complete.
COMPLETIONS: dict[Completion, str] = {
    Completion.QUIET: "nothing came for a while",
    Completion.COUNT: "all that its sender counts is here",
    Completion.CALL: "somebody said so",
    Completion.PULL: "a pull fetched all of it",
}

STAGES: dict[Stage, str] = {
    Stage.DEIDENTIFY: "De-identify",
    Stage.ROUTE: "Route",
    Stage.INFER: "Infer",
    Stage.ENCODE: "Encode",
    Stage.CHECK: "Check",
    Stage.DELIVER: "Deliver",
    Stage.PURGE: "Purge",
}

KINDS: dict[ResultKind, str] = {
    ResultKind.SR: "Structured report",
    ResultKind.SEG: "Segmentation",
    ResultKind.SC: "Heatmap",
    ResultKind.PMAP: "Parametric map",
    ResultKind.PDF: "PDF report",
    ResultKind.KOS: "Key images",
    ResultKind.PR: "Presentation state",
    ResultKind.RTSTRUCT: "Structure set",
}

RUNS: dict[RunStatus, str] = {
    RunStatus.DONE: "done",
    RunStatus.REJECTED: "rejected by a gate",
    RunStatus.FAILED: "failed",
}

DELIVERIES: dict[DeliveryStatus, str] = {
    DeliveryStatus.PENDING: "waiting",
    DeliveryStatus.SENT: "sent",
    DeliveryStatus.CONFIRMED: "confirmed",
    DeliveryStatus.FAILED: "given up",
    DeliveryStatus.DISCARDED: "discarded",
}


#: Why something in quarantine was released or deleted.
REASONS: dict[str, str] = {
    ReleaseReason.NOTHING_IDENTIFIES: "nothing in it identifies a person",
    ReleaseReason.NO_PATIENT: "it shows no patient (a phantom, a test image)",
    ReleaseReason.OTHER: "another reason",
    DeleteReason.IDENTITY_VISIBLE: "it shows who the patient is",
    DeleteReason.NOT_NEEDED: "it is not needed",
    DeleteReason.SENT_BY_MISTAKE: "it was sent by mistake",
    "passed": "a later run passed it",
}

#: Actions of PS3.15 Table E.1-1.
RULES: dict[str, str] = {
    "C": "cleaned",
    "D": "replaced by a dummy",
    "K": "kept by an option",
    "U": "UID replaced",
    "X": "removed",
    "Z": "emptied",
}


def sop_class_name(uid: str) -> str:
    """The standard's name of a SOP Class, or its UID."""
    return UID(uid).name


def reason_words(reason: str) -> str:
    """Why something was decided, in words."""
    return REASONS.get(reason, reason)


def rule_words(rule: str) -> str:
    """What an action of de-identification does, in words."""
    return RULES.get(rule, rule.replace("-", " "))


def in_bytes(count: int) -> str:
    """A size with a decimal unit: `13.1 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit takes every size")


def instant(when: datetime) -> str:
    """A time to the second: `2026-03-01 12:00:05 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(when: datetime) -> str:
    """The same for machines (RFC 3339)."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def percent(share: float) -> str:
    """A share of 1: `97 %`. Never rounded up to 100 %."""
    return f"{min(share * 100, 99.9) if share < 1 else 100:.{0 if share < 0.995 or share >= 1 else 1}f} %"


def short(identifier: str) -> str:
    """The beginning of a long identifier, enough to tell studies on a page apart."""
    return identifier if len(identifier) <= 10 else identifier[:8]


def count_of(number: int, noun: str) -> str:
    """A number with its noun: `1 instance`, `181 instances`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun if noun.endswith("s") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


FILTERS: dict[str, Callable[..., Any]] = {
    "in_bytes": in_bytes,
    "instant": instant,
    "iso": iso,
    "percent": percent,
    "short": short,
    "count_of": count_of,
    "stage_name": STAGES.__getitem__,
    "state_words": STATES.__getitem__,
    "run_words": RUNS.__getitem__,
    "pull_words": PULLS.__getitem__,
    "completion_words": COMPLETIONS.__getitem__,
    "reason_words": reason_words,
    "rule_words": rule_words,
    "sop_class_name": sop_class_name,
    "delivery_words": DELIVERIES.__getitem__,
}
