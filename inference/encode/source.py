"""The source of a prediction, read from the de-identified instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import EncodingFailed
from dicom_node.domain.finding import Task
from inference.preprocess.frames import Frame, count_frames, frames_of, read_instance, value_of
from inference.preprocess.spacing import SpacingMeaning, pixel_size
from inference.preprocess.stored import is_colour, read_rgb, read_stored
from inference.preprocess.volume import VolumeRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicom_node.domain.finding import Prediction
    from dicom_node.ports.models import StudyInput

#: Attributes of Type 2 that every result has, empty where the source has none.
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
#: What the geometry of a result is made from.
GEOMETRY = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
#: Largest difference of two slices' direction cosines or spacings (mm) that still makes one stack.
STACK_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """Source slices in the order of the prediction's arrays, without their pixel data.

    Attributes
    ----------
    slices
        The data set of each slice, ascending along the slice normal. Of a multi-frame instance: that
        instance, as often as it has frames here; its `frames` say which.
    pixels
        Stored pixel values (slices, rows, columns), modality units not applied; in colour uint8
        (slices, rows, columns, 3), red, green, blue.
    positions
        Centres of the first pixels in LPS, mm, shape (slices, 3); zeros without geometry.
    row_direction, column_direction
        Unit vectors in LPS: along a row (increasing column) and down a column (increasing row). Without
        geometry the axes of an axial image, which mean nothing.
    spacing
        Between rows and between columns, mm; 1 and 1 where `spacing_meaning` is unknown.
    slice_spacing
        Distance of two neighbouring slices in mm, or `None` where it varies or there is one slice.
    frames
        Frame numbers (from 1) of the slices, where the source is one multi-frame instance; else empty.
    has_geometry
        Whether the slices have a place in the patient. Images without one (projections, captures,
        photographs) get no object that needs a Frame of Reference.
    spacing_meaning
        What `spacing` is known from.
    slice_thickness
        Of the first slice, mm; the distance of slices where it is not told, `None` where that is unknown.
    """

    slices: tuple[Dataset, ...]
    pixels: NDArray[np.generic]
    positions: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    spacing: tuple[float, float]
    slice_spacing: float | None
    frames: tuple[int, ...] = ()
    has_geometry: bool = True
    spacing_meaning: SpacingMeaning = field(default=SpacingMeaning.PATIENT)
    slice_thickness: float | None = None

    @property
    def header(self) -> Dataset:
        """The first slice: patient, study and frame of reference are the same in all."""
        return self.slices[0]

    @property
    def instances(self) -> tuple[Dataset, ...]:
        """Each instance once."""
        return self.slices[:1] if self.frames else self.slices

    @property
    def colour(self) -> bool:
        """Whether pixels are red, green and blue."""
        return self.pixels.ndim == 4

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        slices, rows, columns = self.pixels.shape[:3]
        return slices, rows, columns

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel, mm²."""
        return self.spacing[0] * self.spacing[1]

    def frame_number(self, index: int) -> int | None:
        """Referenced Frame Number of a slice, or `None` where its instance has one frame only."""
        return self.frames[index] if self.frames else None


def read_source(study: StudyInput, prediction: Prediction) -> SourceSeries:
    """Read the instances, or the frames of one, that the arrays' first axis stands for.

    Raises
    ------
    EncodingFailed
        If the instances do not fit together, if a result that lies in the patient (a mask, a map) has
        slices that are no stack, or if pixels cannot be decoded.
    """
    if not prediction.source_sop_instance_uids:
        raise EncodingFailed("the prediction names no source instances; the model's adapter must list them")
    frames: list[Frame] = []
    planes: list[NDArray[np.generic]] = []
    for uid in prediction.source_sop_instance_uids:
        ds = _read_instance(study.read(uid))
        wanted = _wanted(ds, prediction)
        planes += [_take_pixels(frame) for frame in wanted]
        frames += wanted
        ds.pop("PixelData", None)
    if len({plane.shape for plane in planes}) > 1:
        raise EncodingFailed("the source slices differ in rows or columns: results need one stack")
    _check_same(frames, "StudyInstanceUID", "SeriesInstanceUID")
    missing = sorted({key for frame in frames for key in GEOMETRY if frame.get(key) is None})
    if missing:
        if _lies_in_patient(prediction):
            raise EncodingFailed(
                f"a source instance lacks {', '.join(missing)}: results need a stack with geometry"
            )
        return _images(frames, planes, prediction.source_frames)
    return _stack(frames, planes, prediction.source_frames)


def read_headers(study: StudyInput, uids: Sequence[str]) -> tuple[Dataset, ...]:
    """Read instances of any kind without their pixels, for a result that has no arrays.

    Raises
    ------
    EncodingFailed
        If one cannot be read.
    """
    headers = []
    for uid in uids:
        ds = _read_instance(study.read(uid))
        ds.pop("PixelData", None)
        headers.append(ds)
    return tuple(headers)


def _read_instance(part10: bytes) -> Dataset:
    try:
        ds = read_instance(part10)
    except VolumeRefused as exc:
        raise EncodingFailed(
            "a source instance cannot be read as DICOM; look at its de-identification"
        ) from exc
    for keyword in TYPE_2:
        if keyword not in ds:
            setattr(ds, keyword, "")
    return ds


def _wanted(ds: Dataset, prediction: Prediction) -> list[Frame]:
    if not prediction.source_frames:
        if count_frames(ds) != 1:
            raise EncodingFailed(
                "a source instance is multi-frame, and the prediction does not say which frames it means"
            )
        return [Frame(ds)]
    if len(prediction.source_sop_instance_uids) != 1:
        raise EncodingFailed("frame numbers are given, but more than one source instance")
    try:
        frames = {frame.number: frame for frame in frames_of(ds)}
        return [frames[number] for number in prediction.source_frames]
    except (VolumeRefused, KeyError) as exc:
        raise EncodingFailed(
            "the source instance does not have the frames that the prediction names"
        ) from exc


def _take_pixels(frame: Frame) -> NDArray[np.generic]:
    try:
        return read_rgb(frame) if is_colour(frame.ds) else read_stored(frame)
    except VolumeRefused as exc:
        raise EncodingFailed("the pixels of a source instance cannot be decoded") from exc


def _lies_in_patient(prediction: Prediction) -> bool:
    # Boxes do not: a detector on a projection means its pixels.
    return bool(prediction.segments or prediction.maps or prediction.task is Task.SEGMENTATION)


def _check_same(frames: Sequence[Frame], *keywords: str) -> None:
    for keyword in keywords:
        if len({str(value_of(frame.ds, keyword)) for frame in frames}) > 1:
            raise EncodingFailed(f"the source slices differ in {keyword}: results need one series")


def _images(
    frames: Sequence[Frame], planes: list[NDArray[np.generic]], numbers: tuple[int, ...]
) -> SourceSeries:
    size = pixel_size(frames[0])
    return SourceSeries(
        slices=tuple(frame.ds for frame in frames),
        pixels=np.stack(planes),
        positions=np.zeros((len(frames), 3)),
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        spacing=(size.rows_mm, size.columns_mm),
        slice_spacing=None,
        frames=numbers,
        has_geometry=False,
        spacing_meaning=size.meaning,
    )


def _stack(
    frames: Sequence[Frame], planes: list[NDArray[np.generic]], numbers: tuple[int, ...]
) -> SourceSeries:
    _check_same(frames, "FrameOfReferenceUID")
    shapes = _geometry(frames, "ImageOrientationPatient", "PixelSpacing", length=8)
    if np.ptp(shapes, axis=0).max() > STACK_TOLERANCE:
        raise EncodingFailed(
            "the source slices differ in orientation or pixel spacing: results need one stack"
        )
    orientation, spacing = shapes[0, :6], shapes[0, 6:]
    row_direction, column_direction = orientation[:3], orientation[3:]
    positions = _geometry(frames, "ImagePositionPatient", length=3)
    steps = np.diff(positions @ np.cross(row_direction, column_direction))
    if steps.size and steps.min() <= STACK_TOLERANCE:
        raise EncodingFailed(
            "the source slices do not ascend along the slice normal; the model's adapter must sort them"
        )
    even = steps.size and np.ptp(steps) <= 0.01 * steps.mean()
    usual = round(float(steps.mean()), 6) if steps.size else None
    thickness = frames[0].numbers("SliceThickness")
    if thickness is None and not numbers:
        for frame in frames:
            frame.ds.SliceThickness = usual
    return SourceSeries(
        slices=tuple(frame.ds for frame in frames),
        pixels=np.stack(planes),
        positions=positions,
        row_direction=row_direction,
        column_direction=column_direction,
        spacing=(float(spacing[0]), float(spacing[1])),
        slice_spacing=usual if even else None,
        frames=numbers,
        slice_thickness=float(thickness[0]) if thickness is not None else usual,
    )


def _geometry(frames: Sequence[Frame], *keywords: str, length: int) -> NDArray[np.float64]:
    rows = []
    for frame in frames:
        values = [frame.numbers(keyword) for keyword in keywords]
        rows.append(np.concatenate([value for value in values if value is not None]))
    if any(row.size != length for row in rows):
        raise EncodingFailed("a source slice's position, orientation or spacing makes no sense")
    return np.array(rows)
