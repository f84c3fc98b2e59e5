"""The measurement group of a classifier: what it says of the whole series, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom import sr

from dicom_node.domain.finding import Code
from inference.encode.coding import PRIVATE_SCHEME, concept
from inference.encode.group_parts import algorithm, certainty, evaluation, frame_corner, numbers, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicom_node.domain.finding import ClassFinding, Measurement
    from inference.encode.context import ResultContext

#: Code values have 16 characters (PS3.5 §6.2, SH).
_CODE_LENGTH = 16


def class_group(
    context: ResultContext, key_slice: int, measurements: Sequence[Measurement]
) -> sr.MeasurementsAndQualitativeEvaluations:
    """One group (TID 1501) with the probability of each class, drawn on the key slice.

    The finding is the class that is there, if it is one; each class is evaluated as present or absent. The
    probabilities bear the classes' names, in the node's own coding scheme: viewers show a number with its
    name only, and there is no standard name for each of them.

    Parameters
    ----------
    key_slice
        The slice that it is drawn on, from 0.
    measurements
        Of the whole series.
    """
    prediction = context.prediction
    present = [one for one in prediction.classes if one.present]
    values = [
        *certainty(prediction.confidence),
        *(percent(name, one.probability) for name, one in probability_names(prediction.classes)),
        *measurements,
    ]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=context.uid("tracking", "series"),
            identifier=f"{prediction.label or 'Classification'} ({context.model.name})",
        ),
        finding_type=concept(present[0].code) if len(present) == 1 else None,
        algorithm_id=algorithm(context),
        measurements=numbers(values, coordinates=[frame_corner(context.source, key_slice)]),
        qualitative_evaluations=[evaluation(one.code, one.present) for one in prediction.classes],
    )


def probability_names(classes: Sequence[ClassFinding]) -> list[tuple[Code, ClassFinding]]:
    """A name for the probability of each class, the likeliest class first.

    The code value is made of the class's name in the manifest: the same in every report of a model.
    """
    named = []
    for place, one in enumerate(classes, 1):
        value = f"P_{one.name}"
        if len(value) > _CODE_LENGTH:
            value = f"{value[: _CODE_LENGTH - 3]}_{place:02}"
        named.append((Code(value, PRIVATE_SCHEME, f"Probability of {one.label}"[:64]), one))
    return sorted(named, key=lambda pair: -pair[1].probability)
