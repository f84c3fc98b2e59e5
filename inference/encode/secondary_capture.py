"""Pictures of a prediction as Secondary Capture images (PS3.3 §A.8): a stack, and a key picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from highdicom.base import SOPClass
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from dicom_node.domain.result import EncodedResult, ResultKind
from inference.encode.context import CHARACTER_SET, RESEARCH_NOTICE, Role
from inference.encode.key_slices import ranked_slices
from inference.encode.part10 import StaticPart10, sequence_element, short_element
from inference.encode.pictures import draw_over, meaning_of, plan_pictures
from inference.preprocess.frames import value_of
from inference.preprocess.spacing import SpacingMeaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inference.encode.arrays import PredictionArrays
    from inference.encode.context import ResultContext
    from inference.encode.layout import Layout
    from inference.encode.pictures import Pictures
    from inference.encode.source import SourceSeries

#: Why a picture refers to its source slice (PS3.16 CID 7202).
_PURPOSE = b"".join(
    (
        short_element("CodeValue", "SH", "121322"),
        short_element("CodingSchemeDesignator", "SH", "DCM"),
        short_element("CodeMeaning", "LO", "Source image for image processing operation"),
    )
)


def make_heatmaps(context: ResultContext, arrays: PredictionArrays) -> Iterator[EncodedResult]:
    """Yield one RGB Secondary Capture for each slice that something is drawn over, in the source's geometry.

    Single frames with position, orientation and spacing are what viewers can reconstruct. Pixels are
    uncompressed, so every destination takes them. Burned In Annotation is NO: the standard asks there
    for text that identifies the patient (PS3.3 §C.7.6.1.1), and ours names model and notice only. Where
    only some slices of several have a picture, a key picture follows in a series of its own: the best of
    them beside its source.
    """
    pictures = plan_pictures(context.prediction, context.source, arrays)
    if not pictures.drawings:
        return
    layout = pictures.layout
    writer = StaticPart10(_stack_template(context, layout))
    for number, (drawing, frame) in enumerate(pictures.paint(), 1):
        yield _result(
            context,
            Role.HEATMAP,
            number,
            writer.write(
                context.instance_uid(Role.HEATMAP, number),
                _varying(context, drawing.index, number, layout),
                frame.data,
            ),
        )
    if len(pictures.drawings) < context.source.shape[0]:
        yield _key_picture(context, arrays, pictures)


def key_slice(context: ResultContext, arrays: PredictionArrays) -> Dataset | None:
    """The identifiers of the picture that says most, or `None` where there are no pictures."""
    source = context.source
    drawn = [drawing.index for drawing in draw_over(context.prediction, arrays, source.shape[0])]
    if not drawn:
        return None
    index = _best(context, arrays, drawn)
    ds = Dataset()
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = context.instance_uid(Role.HEATMAP, drawn.index(index) + 1)
    ds.StudyInstanceUID = source.header.StudyInstanceUID
    ds.SeriesInstanceUID = context.series_uid(Role.HEATMAP)
    return ds


def _best(context: ResultContext, arrays: PredictionArrays, drawn: list[int]) -> int:
    slices = context.source.shape[0]
    ranked = ranked_slices(context.prediction, arrays, slices)
    return next((index for index in ranked if index in drawn), drawn[len(drawn) // 2])


def _key_picture(context: ResultContext, arrays: PredictionArrays, pictures: Pictures) -> EncodedResult:
    """The best picture beside its source slice, for systems that show single images only."""
    index = _best(context, arrays, [drawing.index for drawing in pictures.drawings])
    drawing = pictures.drawing_of(index)
    plain = pictures.slice_of(index)
    parts = [pictures.painter.paint(plain, None), pictures.painter.paint(plain, drawing.level, drawing.boxes)]
    rows, columns = pictures.layout.canvas
    # Beside each other or above each other, whichever is nearer to a square.
    picture = np.concatenate(parts, axis=1 if columns <= 2 * rows else 0)
    ds = _template(context, Role.KEY_PICTURE, "key picture", (picture.shape[0], picture.shape[1]))
    ds.PatientOrientation = ""
    varying = {
        "InstanceNumber": short_element("InstanceNumber", "IS", "1"),
        "SourceImageSequence": _reference(context.source, index, preserved=False),
    }
    data = StaticPart10(ds).write(
        context.instance_uid(Role.KEY_PICTURE), varying, np.ascontiguousarray(picture).data
    )
    return _result(context, Role.KEY_PICTURE, 1, data)


def _result(context: ResultContext, role: Role, number: int, data: bytes) -> EncodedResult:
    return EncodedResult(
        ResultKind.SC,
        str(SecondaryCaptureImageStorage),
        context.series_uid(role),
        context.instance_uid(role, number),
        data,
    )


def _template(context: ResultContext, role: Role, what: str, shape: tuple[int, int]) -> Dataset:
    """What all instances of a series share, but for their place."""
    header = context.source.header
    ds: Dataset = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=context.series_uid(role),
        series_number=context.series_number(role),
        sop_instance_uid=context.instance_uid(role),
        sop_class_uid=SecondaryCaptureImageStorage,
        instance_number=1,
        modality="OT",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=context.series_description(what),
        content_date=context.made_at.date(),
        content_time=context.made_at.time().replace(microsecond=0),
        specific_character_set=CHARACTER_SET,
        **context.equipment(),
    )
    ds.copy_patient_and_study_information(header)
    ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    ds.ConversionType = "WSD"
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = ds.ContentDate, ds.ContentTime
    meaning = ", ".join(meaning_of(context.prediction))
    ds.DerivationDescription = (
        f"Drawn by {context.model.name} {context.model.version} over the source slice, windowed: {meaning}."
        f" {RESEARCH_NOTICE}"
    )[:1024]
    ds.BurnedInAnnotation = "NO"
    # A stack of head slices shows a face unless the source says that it does not.
    ds.RecognizableVisualFeatures = header.get("RecognizableVisualFeatures") or "YES"
    ds.LossyImageCompression = "00"
    for keyword in ("BodyPartExamined", "AnatomicRegionSequence", "PatientPosition"):
        if keyword in header:
            ds[keyword] = header[keyword]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    context.complete(ds)
    return ds


def _stack_template(context: ResultContext, layout: Layout) -> Dataset:
    ds = _template(context, Role.HEATMAP, "heatmap", layout.canvas)
    source = context.source
    if source.spacing_meaning in (SpacingMeaning.PATIENT, SpacingMeaning.CALIBRATED):
        ds.PixelSpacing = [
            _decimal(value / scale) for value, scale in zip(source.spacing, layout.scale, strict=True)
        ]
    if not source.has_geometry:
        ds.PatientOrientation = value_of(source.header, "PatientOrientation") or ""
        return ds
    header = source.header
    ds.FrameOfReferenceUID = header.FrameOfReferenceUID
    ds.PositionReferenceIndicator = header.get("PositionReferenceIndicator") or ""
    directions = (source.row_direction, source.column_direction)
    ds.ImageOrientationPatient = [_decimal(value) for direction in directions for value in direction]
    if not source.frames:
        ds.ImageOrientationPatient = header.ImageOrientationPatient
    ds.PatientOrientation = [_letters(direction) for direction in directions]
    ds.SliceThickness = None if source.slice_thickness is None else _decimal(source.slice_thickness)
    if source.slice_spacing is not None:
        ds.SpacingBetweenSlices = _decimal(source.slice_spacing)
    return ds


def _varying(context: ResultContext, index: int, number: int, layout: Layout) -> dict[str, bytes]:
    """The encoded elements in which one instance differs from the others."""
    source = context.source
    elements = {
        "InstanceNumber": short_element("InstanceNumber", "IS", str(number)),
        "SourceImageSequence": _reference(source, index, preserved=True),
    }
    if source.has_geometry:
        # The centre of the first pixel moves where a source pixel becomes several, or several one.
        down, across = layout.first_pixel
        position = (
            source.positions[index]
            + across * source.spacing[1] * source.row_direction
            + down * source.spacing[0] * source.column_direction
        )
        as_it_was = layout.canvas == layout.source and not source.frames
        origin = map(str, source.slices[index].ImagePositionPatient) if as_it_was else map(_decimal, position)
        elements["ImagePositionPatient"] = short_element("ImagePositionPatient", "DS", *origin)
    return elements


def _reference(source: SourceSeries, index: int, *, preserved: bool) -> bytes:
    """Source Image Sequence: the slice that a picture shows."""
    ds, frame = source.slices[index], source.frame_number(index)
    return sequence_element(
        "SourceImageSequence",
        b"".join(
            (
                short_element("ReferencedSOPClassUID", "UI", ds.SOPClassUID),
                short_element("ReferencedSOPInstanceUID", "UI", ds.SOPInstanceUID),
                short_element("ReferencedFrameNumber", "IS", str(frame)) if frame is not None else b"",
                short_element("SpatialLocationsPreserved", "CS", "YES" if preserved else "NO"),
                sequence_element("PurposeOfReferenceCodeSequence", _PURPOSE),
            )
        ),
    )


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
