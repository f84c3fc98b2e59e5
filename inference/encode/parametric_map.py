"""A number for each voxel as Parametric Map of 32-bit floats (PS3.3 §A.75)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap as HighdicomMap
from highdicom.pm import RealWorldValueMapping

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Code, ParametricMap
from inference.encode.coding import concept
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.frame_sources import frame_sources, name_frames, pixel_measures
from inference.encode.segmentation import derive_dimension_uid

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from inference.encode.context import ResultContext

#: A segmenter's probability, where the configuration wants it as a map.
PROBABILITY = ParametricMap(
    "probability",
    "Probability",
    Code("122157", "DCM", "Probability"),
    Code("1", "UCUM", "no units"),
)


def make_parametric_map(
    context: ResultContext, description: ParametricMap, values: NDArray[np.floating], number: int
) -> Dataset:
    """Encode a map, one frame for each source slice, ascending along the slice normal.

    OHIF reads frames in their order, and refuses maps of another matrix than the source's. Where rows x
    columns does not divide by 4, OHIF 3.13 as it is published fails too; the copy that the node serves is
    mended (`viewer.ohif.rewrite`).

    Parameters
    ----------
    values
        (slices, rows, columns) in the unit of the description.
    number
        Of this map among those of the prediction, from 1: each has a series of its own.

    Raises
    ------
    EncodingFailed
        If a value is not finite, or the source has no geometry.
    """
    source, model = context.source, context.model
    if not source.has_geometry:
        raise EncodingFailed("the source has no geometry: a map needs a place in the patient")
    if not np.isfinite(values).all():
        raise EncodingFailed(f"the map {description.name} holds values that are no numbers")
    everything = list(range(source.shape[0]))
    pixels = values.astype(np.float32, copy=False)
    low, high = float(pixels.min()), float(pixels.max())
    ds: Dataset = HighdicomMap(
        source_images=frame_sources(source, everything),
        pixel_array=pixels,
        series_instance_uid=context.series_uid(Role.PARAMETRIC_MAP, number),
        series_number=context.series_number(Role.PARAMETRIC_MAP, number),
        sop_instance_uid=context.instance_uid(Role.PARAMETRIC_MAP, number),
        instance_number=1,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            RealWorldValueMapping(
                lut_label=description.name.upper()[:16],
                lut_explanation=description.label,
                unit=concept(description.unit),
                value_range=(low, high),
                slope=1.0,
                intercept=0.0,
                quantity_definition=concept(description.quantity),
            )
        ],
        voi_lut_transformations=[
            VOILUTTransformation(window_center=(low + high) / 2, window_width=max(high - low, 1e-6))
        ],
        content_label="MAP",
        content_description=f"{model.name} {model.version}: {RESEARCH_NOTICE}"[:64],
        content_creator_name=None,
        pixel_measures=pixel_measures(source),
        series_description=context.series_description(description.label.lower()),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    _ascend(ds, pixels, np.cross(source.row_direction, source.column_direction))
    name_frames(ds, source)
    context.complete(ds)
    context.name_body_part(ds)
    derive_dimension_uid(ds, context.uid("dimension", Role.PARAMETRIC_MAP.name, str(number)))
    ds.ContentDate = context.made_at.strftime("%Y%m%d")
    ds.ContentTime = context.made_at.strftime("%H%M%S")
    return ds


def _ascend(ds: Dataset, pixels: NDArray[np.float32], normal: NDArray[np.float64]) -> None:
    """Let frames ascend along the slice normal: highdicom lets them descend for some orientations."""
    frames = list(ds.PerFrameFunctionalGroupsSequence)
    ends = [np.array(frames[i].PlanePositionSequence[0].ImagePositionPatient, float) for i in (0, -1)]
    if (ends[1] - ends[0]) @ normal >= 0:
        return
    indices = [frame.FrameContentSequence[0].DimensionIndexValues for frame in frames]
    ds.PerFrameFunctionalGroupsSequence = frames[::-1]
    for frame, index in zip(frames[::-1], indices, strict=True):
        frame.FrameContentSequence[0].DimensionIndexValues = index
    ds.FloatPixelData = pixels.astype("<f4").tobytes()
