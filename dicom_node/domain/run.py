"""Which model ran on what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunStatus(StrEnum):
    """How one model's run ended."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """One model on one series, as `/api/studies` shows it.

    Attributes
    ----------
    confidence
        Between 0 and 1, or `None` where the model gives none.
    reason
        Why it was rejected or failed; carries no identity.
    """

    model: str
    version: str
    series_instance_uid: str
    status: RunStatus
    reason: str | None = None
    label: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One recorded decision of the router or a gate.

    Attributes
    ----------
    subject
        What was decided about: a series (pseudonymous UID) or a model name.
    rule
        The rule or gate that decided.
    passed
        Whether it let the subject through.
    text
        Why, in a sentence for people; carries no identity.
    """

    subject: str
    rule: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A series that a model shall work on."""

    model: str
    model_version: str
    series_instance_uid: str
    route: str


@dataclass(frozen=True, slots=True)
class RoutingDecision:
    """What the router decided for a study, with every reason."""

    assignments: tuple[Assignment, ...]
    reasons: tuple[Reason, ...]
    modalities: tuple[str, ...]
    body_part: str | None

    @property
    def rejection(self) -> str | None:
        """Why no model fits, in one line, or `None` where one does."""
        if self.assignments:
            return None
        refused = [r.text for r in self.reasons if not r.passed]
        return "no route: " + ("; ".join(dict.fromkeys(refused)) if refused else "no rule matched")
