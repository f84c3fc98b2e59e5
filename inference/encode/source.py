"""The source series of a prediction, read from the de-identified instances."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.domain.errors import EncodingFailed

if TYPE_CHECKING:
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
GEOMETRY = (
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
#: Largest difference of two slices' direction cosines or spacings (mm) that still makes one stack.
STACK_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """Source slices in the order of the prediction's arrays, without their pixel data.

    Attributes
    ----------
    slices
        One data set per slice, ascending along the slice normal.
    pixels
        Stored pixel values (slices, rows, columns), modality units not applied.
    positions
        Centres of the first pixels in LPS, mm, shape (slices, 3).
    row_direction, column_direction
        Unit vectors in LPS: along a row (increasing column) and down a column (increasing row).
    spacing
        Between rows and between columns, mm.
    slice_spacing
        Distance of two neighbouring slices in mm, or `None` where it varies or there is one slice.
    """

    slices: tuple[Dataset, ...]
    pixels: NDArray[np.generic]
    positions: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    spacing: tuple[float, float]
    slice_spacing: float | None

    @property
    def header(self) -> Dataset:
        """The first slice: patient, study and frame of reference are the same in all."""
        return self.slices[0]

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel, mm²."""
        return self.spacing[0] * self.spacing[1]


def read_source(study: StudyInput, prediction: Prediction) -> SourceSeries:
    """Read the instances that the arrays' first axis stands for.

    Raises
    ------
    EncodingFailed
        If the instances are no stack of single-frame slices with one geometry, or their pixels cannot
        be decoded.
    """
    if not prediction.source_sop_instance_uids:
        raise EncodingFailed("the prediction names no source instances; the model's adapter must list them")
    slices, planes = [], []
    for uid in prediction.source_sop_instance_uids:
        ds = _read_instance(study.read(uid))
        planes.append(_take_pixels(ds))
        slices.append(ds)
    return _stack(slices, planes)


def _read_instance(part10: bytes) -> Dataset:
    try:
        ds = cast("Dataset", pydicom.dcmread(io.BytesIO(part10)))
    except Exception as exc:
        raise EncodingFailed(
            "a source instance cannot be read as DICOM; look at its de-identification"
        ) from exc
    missing = [keyword for keyword in GEOMETRY if ds.get(keyword) in (None, "")]
    if missing:
        raise EncodingFailed(
            f"a source instance lacks {', '.join(missing)}: results need a stack with geometry"
        )
    if int(ds.get("NumberOfFrames", 1) or 1) != 1 or int(ds.get("SamplesPerPixel", 1)) != 1:
        raise EncodingFailed(
            "a source instance is multi-frame or in colour; results need single-frame grey slices"
        )
    for keyword in TYPE_2:
        if keyword not in ds:
            setattr(ds, keyword, "")
    return ds


def _take_pixels(ds: Dataset) -> NDArray[np.generic]:
    try:
        plane = _native_plane(ds) if _is_native(ds) else ds.pixel_array
    except Exception as exc:
        raise EncodingFailed("the pixels of a source instance cannot be decoded") from exc
    del ds.PixelData
    return cast("NDArray[np.generic]", plane)


def _is_native(ds: Dataset) -> bool:
    return (
        ds.file_meta.TransferSyntaxUID in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        and ds.BitsAllocated in (8, 16)
        and ds.BitsStored <= ds.BitsAllocated
    )


def _native_plane(ds: Dataset) -> NDArray[np.generic]:
    """Uncompressed pixels without pydicom's general decoder, which takes most of a read's time."""
    kind = "i" if ds.PixelRepresentation else "u"
    plane = np.frombuffer(ds.PixelData, f"<{kind}{ds.BitsAllocated // 8}", ds.Rows * ds.Columns)
    return plane.reshape(ds.Rows, ds.Columns)


def _stack(slices: list[Dataset], planes: list[NDArray[np.generic]]) -> SourceSeries:
    first = slices[0]
    if len({plane.shape for plane in planes}) > 1:
        raise EncodingFailed("the source slices differ in rows or columns: results need one stack")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        if len({str(ds.get(keyword)) for ds in slices}) > 1:
            raise EncodingFailed(f"the source slices differ in {keyword}: results need one series")
    shapes = np.array(
        [[*map(float, ds.ImageOrientationPatient), *map(float, ds.PixelSpacing)] for ds in slices]
    )
    if shapes.shape[1] != 8 or np.ptp(shapes, axis=0).max() > STACK_TOLERANCE:
        raise EncodingFailed(
            "the source slices differ in orientation or pixel spacing: results need one stack"
        )
    orientation, spacing = shapes[0, :6], shapes[0, 6:]
    row_direction, column_direction = orientation[:3], orientation[3:]
    positions = np.array([list(map(float, ds.ImagePositionPatient)) for ds in slices])
    steps = np.diff(positions @ np.cross(row_direction, column_direction))
    if steps.size and steps.min() <= STACK_TOLERANCE:
        raise EncodingFailed(
            "the source slices do not ascend along the slice normal; the model's adapter must sort them"
        )
    even = steps.size and np.ptp(steps) <= 0.01 * steps.mean()
    if "SliceThickness" not in first or first.SliceThickness is None:
        for ds in slices:
            ds.SliceThickness = round(float(steps.mean()), 6) if steps.size else None
    return SourceSeries(
        slices=tuple(slices),
        pixels=np.stack(planes),
        positions=positions,
        row_direction=row_direction,
        column_direction=column_direction,
        spacing=(float(spacing[0]), float(spacing[1])),
        slice_spacing=round(float(steps.mean()), 6) if even else None,
    )
