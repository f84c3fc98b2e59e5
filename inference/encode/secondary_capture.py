"""Heatmap pictures as a stack of Secondary Capture images with geometry (PS3.3 §A.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.result import EncodedResult, ResultKind
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.heatmap import Caption, enlargement, render_heatmaps
from inference.encode.part10 import StaticPart10, sequence_element, short_element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext

#: Why a picture refers to its source slice (PS3.16 CID 7202).
_PURPOSE = b"".join(
    (
        short_element("CodeValue", "SH", "121322"),
        short_element("CodingSchemeDesignator", "SH", "DCM"),
        short_element("CodeMeaning", "LO", "Source image for image processing operation"),
    )
)


def make_heatmaps(context: ResultContext, probability: NDArray[np.float16]) -> list[EncodedResult]:
    """Encode one RGB Secondary Capture per source slice, in the source's order and geometry.

    Single frames with position, orientation and spacing are what viewers can reconstruct. Pixels are
    uncompressed, so every destination takes them. Burned In Annotation is NO: the standard asks there
    for text that identifies the patient (PS3.3 §C.7.6.1.1), and ours names model and notice only.

    Parameters
    ----------
    probability
        (slices, rows, columns), 0 to 1.
    """
    source, model = context.source, context.model
    frames = render_heatmaps(
        source.pixels,
        probability,
        Caption((f"{model.name} {model.version}", _what(context)), source.spacing[1]),
        inverted=source.header.get("PhotometricInterpretation") == "MONOCHROME1",
    )
    factor = enlargement(*source.pixels.shape[1:])
    writer = StaticPart10(_template(context, frames.shape[1:3], factor))
    series_uid = context.series_uid(Role.HEATMAP)
    results = []
    for index, frame in enumerate(frames):
        uid = context.instance_uid(Role.HEATMAP, index + 1)
        data = writer.write(uid, _varying(context, index, factor), frame.data)
        results.append(EncodedResult(ResultKind.SC, str(SecondaryCaptureImageStorage), series_uid, uid, data))
    return results


def key_slice(context: ResultContext, arrays: PredictionArrays) -> Dataset:
    """The identifiers of the picture that says most: of the slice with the highest probability in sum."""
    if arrays.probability is None:
        raise EncodingFailed("the prediction has no probability map: it has no heatmaps")
    index = int(arrays.probability.sum(axis=(1, 2), dtype=np.float32).argmax())
    ds = Dataset()
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = context.instance_uid(Role.HEATMAP, index + 1)
    ds.StudyInstanceUID = context.source.header.StudyInstanceUID
    ds.SeriesInstanceUID = context.series_uid(Role.HEATMAP)
    return ds


def _what(context: ResultContext) -> str:
    segments = context.prediction.segments
    return f"{segments[0].label} probability" if len(segments) == 1 else "Probability"


def _template(context: ResultContext, shape: tuple[int, int], factor: int) -> Dataset:
    """What all instances of the series share."""
    source = context.source
    header = source.header
    ds: Dataset = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=context.series_uid(Role.HEATMAP),
        series_number=context.series_number(Role.HEATMAP),
        sop_instance_uid=context.instance_uid(Role.HEATMAP),
        sop_class_uid=SecondaryCaptureImageStorage,
        instance_number=1,
        modality="OT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=context.series_description("heatmap"),
        content_date=context.made_at.date(),
        content_time=context.made_at.time().replace(microsecond=0),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    ds.copy_patient_and_study_information(header)
    ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    ds.ConversionType = "WSD"
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = ds.ContentDate, ds.ContentTime
    ds.DerivationDescription = (
        f"Probability of {context.model.name} {context.model.version} in colour over the source slice,"
        f" windowed. {RESEARCH_NOTICE}"
    )[:1024]
    ds.BurnedInAnnotation = "NO"
    # A stack of head slices shows a face unless the source says that it does not.
    ds.RecognizableVisualFeatures = header.get("RecognizableVisualFeatures") or "YES"
    ds.LossyImageCompression = "00"
    for keyword in ("BodyPartExamined", "AnatomicRegionSequence", "PatientPosition"):
        if keyword in header:
            ds[keyword] = header[keyword]
    ds.FrameOfReferenceUID = header.FrameOfReferenceUID
    ds.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    ds.ImageOrientationPatient = header.ImageOrientationPatient
    ds.PatientOrientation = [_letters(source.row_direction), _letters(source.column_direction)]
    ds.PixelSpacing = [_decimal(value / factor) for value in source.spacing]
    ds.SliceThickness = header.get("SliceThickness")
    if source.slice_spacing is not None:
        ds.SpacingBetweenSlices = _decimal(source.slice_spacing)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    context.complete(ds)
    return ds


def _varying(context: ResultContext, index: int, factor: int) -> dict[str, bytes]:
    """The encoded elements in which one instance differs from the others."""
    source = context.source
    # The centre of the first pixel moves where one source pixel becomes several.
    shift = (1 / factor - 1) / 2
    position = source.positions[index] + shift * (
        source.spacing[1] * source.row_direction + source.spacing[0] * source.column_direction
    )
    origin = map(str, source.slices[index].ImagePositionPatient) if factor == 1 else map(_decimal, position)
    reference = (
        short_element("ReferencedSOPClassUID", "UI", source.slices[index].SOPClassUID),
        short_element("ReferencedSOPInstanceUID", "UI", source.slices[index].SOPInstanceUID),
        short_element("SpatialLocationsPreserved", "CS", "YES"),
        sequence_element("PurposeOfReferenceCodeSequence", _PURPOSE),
    )
    return {
        "InstanceNumber": short_element("InstanceNumber", "IS", str(index + 1)),
        "ImagePositionPatient": short_element("ImagePositionPatient", "DS", *origin),
        "SourceImageSequence": sequence_element("SourceImageSequence", b"".join(reference)),
    }


def _decimal(value: float) -> str:
    """A number as DS, 16 characters at most (PS3.5 §6.2)."""
    return next(text for digits in range(14, 5, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _letters(direction: NDArray[np.float64]) -> str:
    """Where a direction in LPS points to, the main axis first, such as "PR" (PS3.3 §C.7.6.1.1.1)."""
    letters = {
        abs(value): (positive if value > 0 else negative)
        for value, positive, negative in zip(direction, "LPH", "RAF", strict=True)
        if abs(value) > 0.1
    }
    return "".join(letters[size] for size in sorted(letters, reverse=True))
