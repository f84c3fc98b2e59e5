"""The mask as RT Structure Set (PS3.3 §A.19), for planning systems and tools that read no SEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import highdicom as hd
import numpy as np
from highdicom.base import SOPClass
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from dicom_node.domain.errors import EncodingFailed
from inference.encode.coding import concept
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.contours import closed_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dicom_node.domain.finding import Segment
    from inference.encode.context import ResultContext
    from inference.encode.source import SourceSeries

#: "Detached Study Management", which the module asks for and the standard retired long ago.
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_CONTOUR_DATA = Tag("ContourData")


def make_structure_set(context: ResultContext, mask: NDArray[np.uint8]) -> Dataset:
    """Encode each segment as an ROI with closed planar contours on the source's slices.

    Parameters
    ----------
    mask
        (slices, rows, columns), ascending along the slice normal; every value names a segment.

    Raises
    ------
    EncodingFailed
        If the mask is empty, or the source has no geometry.
    """
    if not context.source.has_geometry:
        raise EncodingFailed("the source has no geometry: contours need a place in the patient")
    drawn = [s for s in context.prediction.segments if (mask == s.number).any()]
    if not drawn:
        raise EncodingFailed("the mask is empty: there is nothing to outline")
    ds = _template(context)
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(context.source)]
    ds.StructureSetROISequence = [_roi(context, segment) for segment in drawn]
    ds.ROIContourSequence = [_contours(context.source, segment, mask == segment.number) for segment in drawn]
    ds.RTROIObservationsSequence = [_observation(segment) for segment in drawn]
    context.complete(ds)
    return ds


def _template(context: ResultContext) -> Dataset:
    header = context.source.header
    equipment = context.equipment()
    ds: Dataset = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=context.series_uid(Role.RTSTRUCT),
        series_number=context.series_number(Role.RTSTRUCT),
        sop_instance_uid=context.instance_uid(Role.RTSTRUCT),
        sop_class_uid=RTStructureSetStorage,
        instance_number=1,
        modality="RTSTRUCT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=context.series_description("structure set"),
        specific_character_set=CHARACTER_SET,
        **equipment,
    )
    ds.copy_patient_and_study_information(header)
    ds.OperatorsName = ""
    ds.FrameOfReferenceUID = header.FrameOfReferenceUID
    ds.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    ds.StructureSetLabel = "AI SEGMENTATION" if context.model.is_ai else "SEGMENTATION"
    ds.StructureSetDescription = f"{context.model.name} {context.model.version}: {RESEARCH_NOTICE}"
    ds.StructureSetDate = context.made_at.strftime("%Y%m%d")
    ds.StructureSetTime = context.made_at.strftime("%H%M%S")
    # Nobody has looked at it.
    ds.ApprovalStatus = "UNAPPROVED"
    return ds


def _frame_of_reference(source: SourceSeries) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = source.header.SeriesInstanceUID
    series.ContourImageSequence = [_image(source, index) for index in range(source.shape[0])]
    study = Dataset()
    study.ReferencedSOPClassUID = _STUDY_CLASS
    study.ReferencedSOPInstanceUID = source.header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    item = Dataset()
    item.FrameOfReferenceUID = source.header.FrameOfReferenceUID
    item.RTReferencedStudySequence = [study]
    return item


def _image(source: SourceSeries, index: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.slices[index].SOPClassUID
    item.ReferencedSOPInstanceUID = source.slices[index].SOPInstanceUID
    frame = source.frame_number(index)
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def _roi(context: ResultContext, segment: Segment) -> Dataset:
    model = context.model
    item = Dataset()
    item.ROINumber = segment.number
    item.ReferencedFrameOfReferenceUID = context.source.header.FrameOfReferenceUID
    item.ROIName = segment.label
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    item.ROIGenerationDescription = f"{model.name} {model.version}"
    return item


def _contours(source: SourceSeries, segment: Segment, mask: NDArray[np.bool_]) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = [int(value) for value in hd.color.CIELabColor(*segment.cielab).to_rgb()]
    item.ReferencedROINumber = segment.number
    item.ContourSequence = [
        _contour(source, int(index), points)
        for index in np.flatnonzero(mask.any(axis=(1, 2)))
        for points in closed_contours(mask[index])
    ]
    return item


def _contour(source: SourceSeries, index: int, points: NDArray[np.float64]) -> Dataset:
    down, across = source.spacing
    places = (
        source.positions[index]
        + points[:, :1] * down * source.column_direction
        + points[:, 1:] * across * source.row_direction
    )
    item = Dataset()
    item.ContourImageSequence = [_image(source, index)]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item[_CONTOUR_DATA] = _decimals(places.ravel())
    # As read from such a file: else pydicom decodes the numbers to write them again.
    item.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding="iso8859")
    return item


def _decimals(values: NDArray[np.float64]) -> RawDataElement:
    """Contour Data as it is written: pydicom would check each of hundreds of thousands of numbers."""
    # A hundredth of a micrometre: far below a voxel, and short enough for DS.
    text = "\\".join([f"{value:.5f}" for value in values.tolist()])
    encoded = (text + " " * (len(text) % 2)).encode("ascii")
    return RawDataElement(
        _CONTOUR_DATA, "DS", len(encoded), encoded, 0, is_implicit_VR=False, is_little_endian=True
    )


def _observation(segment: Segment) -> Dataset:
    item = Dataset()
    item.ObservationNumber = segment.number
    item.ReferencedROINumber = segment.number
    item.ROIObservationLabel = segment.label[:16]
    item.RTROIInterpretedType = ""
    item.ROIInterpreter = ""
    item.RTROIIdentificationCodeSequence = [concept(segment.type)]
    return item
