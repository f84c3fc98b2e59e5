"""Which model ran on what, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

#: Rules of reasons that compare a series with a better one begin so: they refuse nothing.
CHOICE = "choice."
#: As many reasons stand in the line that says why no model fits.
MOST_REASONS = 8


class RunStatus(StrEnum):
    """How one model's run ended."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


class RejectionKind(StrEnum):
    """What kind of doubt made a gate refuse; results carry it as a code."""

    #: The series is not what the model was made for.
    INPUT = "input"
    #: It is no volume, or its geometry is not what the model takes.
    GEOMETRY = "geometry"
    #: Blank, noise, too coarse, or cut off.
    QUALITY = "quality"
    #: The pixels show something else than the model learned from.
    OUT_OF_DISTRIBUTION = "out-of-distribution"
    #: The model is not sure enough.
    CONFIDENCE = "confidence"
    #: What the model found cannot be.
    PLAUSIBILITY = "plausibility"
    #: The slices contradict each other.
    DISAGREEMENT = "disagreement"
    #: A result of another model that it needs is not there.
    MISSING_RESULT = "missing-result"


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
    kind
        Of a gate that refused.
    """

    subject: str
    rule: str
    passed: bool
    text: str
    kind: RejectionKind | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A series that a model shall work on.

    Attributes
    ----------
    needs
        Names of models whose predictions of the same study this one is fed with; they stand before it
        among the assignments.
    """

    model: str
    model_version: str
    series_instance_uid: str
    route: str
    needs: tuple[str, ...] = ()


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
        refused: dict[tuple[str, str], str] = {}
        for reason in self.reasons:
            # The first condition of a rule that did not hold tells enough.
            if not reason.passed and not reason.rule.startswith(CHOICE):
                refused.setdefault((reason.subject, reason.rule), reason.text)
        texts = list(dict.fromkeys(refused.values()))
        if len(texts) > MOST_REASONS:
            more = len(texts) - MOST_REASONS
            texts = [*texts[:MOST_REASONS], f"and {more} more reasons (see routes explain)"]
        return "no route: " + ("; ".join(texts) if texts else "no rule matched")


def by_model(assignments: Sequence[Assignment]) -> tuple[tuple[Assignment, ...], ...]:
    """Assignments in groups of one model each, behind the groups of all models that it needs.

    Models, and the series of each, keep their order otherwise.
    """
    left: dict[str, list[Assignment]] = {}
    for assignment in assignments:
        left.setdefault(assignment.model, []).append(assignment)
    groups: list[tuple[Assignment, ...]] = []
    while left:
        ready = (name for name, group in left.items() if not any(n in left for a in group for n in a.needs))
        # Of models that need each other in a circle, which the router refuses, the first goes first.
        groups.append(tuple(left.pop(next(ready, next(iter(left))))))
    return tuple(groups)


def made_for(made_by: Mapping[tuple[str, str], T], model: str, assignment: Assignment) -> T | None:
    """What a model made of the assignment's own series, or else of another one of the study.

    Parameters
    ----------
    made_by
        By model and series.
    """
    same = made_by.get((model, assignment.series_instance_uid))
    return same or next((made for (name, _), made in made_by.items() if name == model), None)
