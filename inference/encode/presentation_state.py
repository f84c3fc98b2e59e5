"""Outlines and boxes as Grayscale Softcopy Presentation State (PS3.3 §A.33.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    SoftcopyVOILUTTransformation,
    TextObject,
)

from dicom_node.domain.errors import EncodingFailed
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.contours import closed_contours
from inference.encode.key_slices import key_slices
from inference.encode.window import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Detection
    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext

#: Where the text stands: the upper left part of the displayed area.
_TEXT_BOX = (0.01, 0.01, 0.6, 0.12)


def make_presentation_state(context: ResultContext, arrays: PredictionArrays) -> Dataset:
    """Encode outlines of segments and boxes of detections over the source, each with its label.

    What has neither (a classifier) is named on the slices that say most.

    Raises
    ------
    EncodingFailed
        If the source is in colour: a grayscale presentation state cannot refer to it.
    """
    source, model = context.source, context.model
    if source.colour:
        raise EncodingFailed("the source is in colour: a grayscale presentation state cannot refer to it")
    layer = GraphicLayer(
        layer_name="FINDINGS", order=1, description=f"{model.name} {model.version}: {RESEARCH_NOTICE}"[:64]
    )
    window = window_of(source)
    ds: Dataset = GrayscaleSoftcopyPresentationState(
        referenced_images=source.instances,
        series_instance_uid=context.series_uid(Role.PRESENTATION),
        series_number=context.series_number(Role.PRESENTATION),
        sop_instance_uid=context.instance_uid(Role.PRESENTATION),
        instance_number=1,
        content_label="FINDINGS",
        content_description=f"{model.name} {model.version}: {RESEARCH_NOTICE}"[:64],
        content_creator_name=None,
        graphic_layers=[layer],
        graphic_annotations=list(_annotations(context, arrays, layer)),
        voi_lut_transformations=[
            SoftcopyVOILUTTransformation(
                window_center=(window.low + window.high) / 2 + 0.5, window_width=window.high - window.low + 1
            )
        ],
        series_description=context.series_description("outlines"),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    context.complete(ds)
    context.name_body_part(ds)
    ds.PresentationCreationDate = context.made_at.strftime("%Y%m%d")
    ds.PresentationCreationTime = context.made_at.strftime("%H%M%S")
    return ds


def _annotations(
    context: ResultContext, arrays: PredictionArrays, layer: GraphicLayer
) -> Iterator[GraphicAnnotation]:
    source = context.source
    drawn: dict[int, list[GraphicObject]] = {}
    said: dict[int, list[str]] = {}
    for index, graphic, label in (*_outlines(context, arrays.mask), *_boxes(context)):
        drawn.setdefault(index, []).append(graphic)
        said.setdefault(index, []).append(label)
    if not drawn:
        for index in key_slices(context.prediction, arrays, source.shape[0], 3):
            said[index] = [context.prediction.label or "Finding"]
    for index in sorted(said):
        words = "; ".join(dict.fromkeys(said[index]))
        text = f"{words}\r\n{context.model.name} {context.model.version}\r\n{RESEARCH_NOTICE}"
        yield GraphicAnnotation(
            referenced_images=[source.slices[index]],
            graphic_layer=layer,
            referenced_frame_number=source.frame_number(index),
            graphic_objects=drawn.get(index),
            text_objects=[
                TextObject(
                    text_value=text[:1024], units=AnnotationUnitsValues.DISPLAY, bounding_box=_TEXT_BOX
                )
            ],
        )


def _outlines(
    context: ResultContext, mask: NDArray[np.uint8] | None
) -> Iterator[tuple[int, GraphicObject, str]]:
    if mask is None:
        return
    for segment in context.prediction.segments:
        inside = mask == segment.number
        for index in np.flatnonzero(inside.any(axis=(1, 2))):
            for contour in closed_contours(inside[index]):
                yield int(index), _polyline(contour + 0.5), segment.label


def _boxes(context: ResultContext) -> Iterator[tuple[int, GraphicObject, str]]:
    for detection in context.prediction.detections:
        for index in _slices(detection, context.source.shape[0]):
            _, top, left, _, bottom, right = detection.box
            corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
            label = f"{detection.label} {detection.number}: {100 * detection.score:.0f} %"
            yield index, _polyline(corners), label


def _slices(detection: Detection, slices: int) -> range:
    first = int(np.clip(np.floor(detection.box[0]), 0, slices - 1))
    last = int(np.clip(np.ceil(detection.box[3]), first + 1, slices))
    return range(first, last)


def _polyline(points: NDArray[np.float64]) -> GraphicObject:
    """Closed, of rows and columns where the corner of the first pixel is (0, 0) (PS3.3 §C.10.5)."""
    closed = np.concatenate([points, points[:1]])[:, ::-1]
    return GraphicObject(
        graphic_type=GraphicTypeValues.POLYLINE, graphic_data=closed, units=AnnotationUnitsValues.PIXEL
    )
