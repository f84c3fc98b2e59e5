"""What people can do about a rejection, by its kind."""

from __future__ import annotations

from dicom_node.domain.run import RejectionKind

_ADVICE = {
    RejectionKind.INPUT: "Send a series that the model takes (`dicom-node models show` says which).",
    RejectionKind.GEOMETRY: "Send the whole original series, every slice once, not cut or reformatted.",
    RejectionKind.QUALITY: "Look at the series in a viewer, and send it again from its source.",
    RejectionKind.OUT_OF_DISTRIBUTION: "Check that this is the right series; the model knows no such images.",
    RejectionKind.CONFIDENCE: "The model is not sure; a person must decide.",
    RejectionKind.PLAUSIBILITY: "The result contradicts anatomy; a person must look at the images.",
    RejectionKind.DISAGREEMENT: "The slices contradict each other; a person must look at the images.",
    RejectionKind.MISSING_RESULT: "Look at the run of the model that this one needs, and start it again.",
}


def advice(kind: RejectionKind) -> str:
    """One plain sentence that says what to do."""
    return _ADVICE[kind]
