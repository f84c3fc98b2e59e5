"""What a report for people says, before it becomes SR or PDF; parts that findings and rejections share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicom_node.domain.finding import Code
from inference.encode.coding import PRIVATE_SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dicom_node.domain.finding import Measurement
    from inference.encode.context import RunContext

COMMENT = Code("121106", "DCM", "Comment")
FINDING = Code("121071", "DCM", "Finding")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
SUMMARY = Code("121111", "DCM", "Summary")


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled line: a text or a code."""

    name: Code
    value: str | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its lines; a measurement is a line with its own name."""

    heading: Code
    lines: tuple[Line | Measurement, ...]


def comments(sentences: Iterable[str]) -> Iterator[Line]:
    """Sentences as lines."""
    return (Line(COMMENT, sentence) for sentence in sentences)


def model_section(context: RunContext, work: str) -> Section:
    """Which model it was, and what it did.

    Parameters
    ----------
    work
        What it worked on and how long, for people.
    """
    model = context.model
    kind = "Artificial intelligence" if model.is_ai else "Computed without artificial intelligence"
    return Section(
        Code("55111-9", "LN", "Current Procedure Descriptions"),
        (
            Line(Code("111001", "DCM", "Algorithm Name"), model.name),
            Line(Code("111003", "DCM", "Algorithm Version"), model.version),
            Line(Code("122405", "DCM", "Algorithm Manufacturer"), model.manufacturer),
            Line(Code("111000", "DCM", "Algorithm Family"), model.family),
            Line(Code("121065", "DCM", "Procedure Description"), f"{model.title}. {kind}. {work}".strip()),
        ),
    )


def gates_section(context: RunContext, also: Iterable[Line] = ()) -> Section:
    """What the gates asked and measured, those that refused first.

    Parameters
    ----------
    also
        Lines that come first.
    """
    gates = [
        f"{'Passed' if reason.passed else 'Not passed'}: {reason.rule}. {reason.text}"
        for reason in sorted(context.prediction.reasons, key=lambda reason: reason.passed)
    ] or ["No gate was applied."]
    return Section(Code("110002", "DCM", "Quality Control"), (*also, *comments(gates)))


def card_section(context: RunContext) -> Section | None:
    """What the model's card says: use, training, calibration, limits, references; `None` without a card."""
    card = context.card
    if card is None:
        return None
    told = [
        ("INTENDED_USE", "Intended use", [card.intended_use]),
        ("TRAINING", "Training data", [card.training]),
        ("CALIBRATION", "Meaning of the confidence", [card.confidence]),
        ("LIMIT", "Limit", card.limits),
        ("REFERENCE", "Reference", card.references),
    ]
    lines = tuple(
        Line(Code(value, PRIVATE_SCHEME, meaning), text)
        for value, meaning, texts in told
        for text in texts
        if text.strip()
    )
    return Section(Code("MODEL_CARD", PRIVATE_SCHEME, "Model card"), lines) if lines else None
