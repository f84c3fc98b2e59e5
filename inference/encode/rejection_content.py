"""What the report of a rejection says: that nothing can be said, and why, in words and codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.domain.finding import Code
from dicom_node.domain.run import RejectionKind
from inference.encode.coding import PRIVATE_SCHEME
from inference.encode.context import RESEARCH_NOTICE
from inference.encode.report_content import (
    FINDING,
    SUMMARY,
    Line,
    Section,
    card_section,
    comments,
    gates_section,
    model_section,
)
from inference.gates.advice import advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.encode.context import RunContext

#: How every rejection begins.
UNDETERMINED = "Unable to determine"
_INDETERMINATE = Code("82334004", "SCT", "Indeterminate")
#: Status of results, PS3.16 CID 6042.
_STATUS = Code("111065", "DCM", "Summary of Analyses")
_NOT_ATTEMPTED = Code("111225", "DCM", "Not Attempted")
_FAILED = Code("111224", "DCM", "Failed")
_REASON = Code("REASON", PRIVATE_SCHEME, "Reason for no result")
_ADVICE = Code("ADVICE", PRIVATE_SCHEME, "What to do")
_NEAREST = Code("REASON_STANDARD", PRIVATE_SCHEME, "Nearest standard reason")

#: Each kind of doubt as the node's own code.
KIND_CODES = {
    kind: Code(value, PRIVATE_SCHEME, meaning)
    for kind, value, meaning in (
        (RejectionKind.INPUT, "R_INPUT", "Series is not what the model was made for"),
        (RejectionKind.GEOMETRY, "R_GEOMETRY", "Geometry is not what the model takes"),
        (RejectionKind.QUALITY, "R_QUALITY", "Image quality is not sufficient"),
        (RejectionKind.OUT_OF_DISTRIBUTION, "R_OUT_OF_DISTR", "Image is unlike the training images"),
        (RejectionKind.CONFIDENCE, "R_CONFIDENCE", "Confidence is too low"),
        (RejectionKind.PLAUSIBILITY, "R_PLAUSIBILITY", "Finding is not plausible"),
        (RejectionKind.DISAGREEMENT, "R_DISAGREEMENT", "Slices contradict each other"),
        (RejectionKind.MISSING_RESULT, "R_MISSING", "Result of another model is missing"),
    )
}
#: The standard's code that comes nearest, for systems that do not know ours: PS3.16 CID 9300 (why a procedure
#: step was discontinued), CID 6135 and 7011 (image quality), CID 42 (why a number has no value).
STANDARD_CODES = {
    RejectionKind.INPUT: Code("110522", "DCM", "Object Types not supported"),
    RejectionKind.GEOMETRY: Code("110521", "DCM", "Objects incorrectly formatted"),
    RejectionKind.QUALITY: Code("111235", "DCM", "Unusable - Quality renders image unusable"),
    RejectionKind.OUT_OF_DISTRIBUTION: Code("110522", "DCM", "Object Types not supported"),
    RejectionKind.CONFIDENCE: Code("114011", "DCM", "Value indeterminate"),
    RejectionKind.PLAUSIBILITY: Code("114009", "DCM", "Value out of range"),
    RejectionKind.DISAGREEMENT: Code("114011", "DCM", "Value indeterminate"),
    RejectionKind.MISSING_RESULT: Code("110523", "DCM", "Object Set incomplete"),
}
#: What is known only after the model ran.
_AFTERWARDS = frozenset({RejectionKind.CONFIDENCE, RejectionKind.PLAUSIBILITY, RejectionKind.DISAGREEMENT})


def rejection_sections(context: RunContext, looked_at: str) -> tuple[Section, ...]:
    """The report's sections in their order: summary, reasons with all gates, procedure, model card.

    Parameters
    ----------
    looked_at
        What there was to look at, for people.
    """
    card = card_section(context)
    return (
        Section(Code("55112-7", "LN", "Summary"), tuple(_summary(context))),
        gates_section(context, _reasons(context)),
        model_section(context, looked_at),
        *([card] if card else []),
    )


def _summary(context: RunContext) -> Iterator[Line]:
    prediction = context.prediction
    kinds = {reason.kind for reason in prediction.reasons if not reason.passed}
    why = prediction.reason or UNDETERMINED
    said = why if why.startswith(UNDETERMINED) else f"{UNDETERMINED}: {why}"
    yield Line(FINDING, _INDETERMINATE)
    yield Line(SUMMARY, said if said.endswith(".") else f"{said}.")
    yield Line(_STATUS, _FAILED if kinds & _AFTERWARDS else _NOT_ATTEMPTED)
    yield from comments((RESEARCH_NOTICE, *prediction.notices))


def _reasons(context: RunContext) -> Iterator[Line]:
    refused = [reason for reason in context.prediction.reasons if not reason.passed]
    for kind in dict.fromkeys(reason.kind for reason in refused):
        if kind is not None:
            yield Line(_REASON, KIND_CODES[kind])
            yield Line(_NEAREST, STANDARD_CODES[kind])
            yield Line(_ADVICE, advice(kind))
