"""What is made of a prediction, and in which order: one maker an object or series.

A new kind of object has a module of its own with a function that makes its data set; here it gets a maker,
and a line in `_EXTRAS` where the configuration can turn it off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from pydicom.dataset import Dataset

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.result import EncodedResult, ResultKind
from inference.encode.failures import writing
from inference.encode.key_objects import make_key_objects
from inference.encode.label_map import make_label_map
from inference.encode.measurement_report import make_measurement_report
from inference.encode.parametric_map import PROBABILITY, make_parametric_map
from inference.encode.part10 import to_part10
from inference.encode.pdf_report import make_pdf_report
from inference.encode.presentation_state import make_presentation_state
from inference.encode.secondary_capture import key_slice, make_heatmaps
from inference.encode.segmentation import make_segmentation
from inference.encode.structure_set import make_structure_set
from inference.encode.text_report import make_text_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.encode.arrays import PredictionArrays
    from inference.encode.choice import ResultChoice
    from inference.encode.context import ResultContext


#: What others refer to a result by; with rows and columns it is an image.
_IDENTIFIERS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "Columns",
)


@dataclass(slots=True)
class Making:
    """A prediction with its arrays, and what was made of it so far.

    Attributes
    ----------
    references
        The results so far, which later ones may refer to: data sets with their identifiers only, as a
        whole map or segmentation would stay in memory.
    segmentation
        The SEG among them.
    left_out
        Sentences on results that could not be made; the full report has them.
    """

    context: ResultContext
    arrays: PredictionArrays
    choice: ResultChoice
    references: list[Dataset] = field(default_factory=list)
    segmentation: Dataset | None = None
    left_out: list[str] = field(default_factory=list)

    def finish(self, kind: ResultKind, ds: Dataset) -> EncodedResult:
        """A whole data set as a result that later ones may refer to."""
        self.references.append(_identifiers(ds))
        return to_result(kind, ds)


def make_results(making: Making) -> Iterator[EncodedResult]:
    """Yield the results of a finding, one by one: only one of the large ones is in memory at a time.

    SEG, reports and heatmaps are always made. An object that the configuration adds is left out where it
    cannot be made, and the full report says so.

    Raises
    ------
    EncodingFailed
        If one of those that are always made cannot be.
    """
    yield from _segmentation(making)
    yield _measurements(making)
    for what, wanted, make in _EXTRAS:
        if wanted(making.choice):
            yield from _made_or_left_out(making, what, make)
    yield _report(making)
    yield from _heatmaps(making)


def _identifiers(ds: Dataset) -> Dataset:
    reference = Dataset()
    for keyword in _IDENTIFIERS:
        if keyword in ds:
            setattr(reference, keyword, ds[keyword].value)
    return reference


def to_result(kind: ResultKind, ds: Dataset) -> EncodedResult:
    """A data set as a result with its Part 10 bytes."""
    return EncodedResult(
        kind=kind,
        sop_class_uid=str(ds.SOPClassUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        data=to_part10(ds),
    )


def _made_or_left_out(
    making: Making, what: str, make: Callable[[Making], Iterator[EncodedResult]]
) -> list[EncodedResult]:
    before = len(making.references)
    try:
        with writing(f"the {what}"):
            return list(make(making))
    except EncodingFailed as exc:
        del making.references[before:]
        making.left_out.append(f"Left out: {what}. {exc}")
        structlog.get_logger().warning("result_left_out", model=making.context.model.name, kind=what)
        return []


def _segmentation(making: Making) -> Iterator[EncodedResult]:
    mask = making.arrays.mask
    if making.context.prediction.segments and mask is not None and mask.any():
        making.segmentation = make_segmentation(making.context, mask)
        yield making.finish(ResultKind.SEG, making.segmentation)


def _measurements(making: Making) -> EncodedResult:
    report = make_measurement_report(making.context, making.segmentation, making.arrays)
    return making.finish(ResultKind.SR, report)


def _report(making: Making) -> EncodedResult:
    others = [*making.references]
    picture = key_slice(making.context, making.arrays)
    if picture is not None:
        others.append(picture)
    return to_result(ResultKind.SR, make_text_report(making.context, making.arrays, others, making.left_out))


def _heatmaps(making: Making) -> Iterator[EncodedResult]:
    yield from make_heatmaps(making.context, making.arrays)


def _parametric_maps(making: Making) -> Iterator[EncodedResult]:
    maps = making.arrays.maps
    for number, one in enumerate(making.context.prediction.maps, 1):
        ds = make_parametric_map(making.context, one, maps[one.name], number)
        yield making.finish(ResultKind.PMAP, ds)


def _probability_map(making: Making) -> Iterator[EncodedResult]:
    if making.arrays.probability is not None:
        number = len(making.context.prediction.maps) + 1
        ds = make_parametric_map(making.context, PROBABILITY, making.arrays.probability, number)
        yield making.finish(ResultKind.PMAP, ds)


def _label_map(making: Making) -> Iterator[EncodedResult]:
    if making.segmentation is not None and making.arrays.mask is not None:
        yield making.finish(ResultKind.SEG, make_label_map(making.context, making.arrays.mask))


def _structure_set(making: Making) -> Iterator[EncodedResult]:
    if making.segmentation is not None and making.arrays.mask is not None:
        yield making.finish(ResultKind.RTSTRUCT, make_structure_set(making.context, making.arrays.mask))


def _presentation_state(making: Making) -> Iterator[EncodedResult]:
    yield making.finish(ResultKind.PR, make_presentation_state(making.context, making.arrays))


def _key_objects(making: Making) -> Iterator[EncodedResult]:
    ds = make_key_objects(making.context, making.arrays, making.references)
    yield making.finish(ResultKind.KOS, ds)


def _pdf(making: Making) -> Iterator[EncodedResult]:
    yield making.finish(ResultKind.PDF, make_pdf_report(making.context, making.arrays, making.left_out))


#: What the configuration can turn on and off: its name for people, whether it is wanted, and its maker. Key
#: objects refer to the others, and the PDF says what was left out.
_EXTRAS: tuple[
    tuple[str, Callable[[ResultChoice], bool], Callable[[Making], Iterator[EncodedResult]]], ...
] = (
    ("parametric map", lambda choice: choice.parametric_map, _parametric_maps),
    ("probability map", lambda choice: choice.probability_map, _probability_map),
    ("label map", lambda choice: choice.labelmap, _label_map),
    ("structure set", lambda choice: choice.rtstruct, _structure_set),
    ("presentation state", lambda choice: choice.gsps, _presentation_state),
    ("key objects", lambda choice: choice.kos, _key_objects),
    ("PDF report", lambda choice: choice.pdf, _pdf),
)
