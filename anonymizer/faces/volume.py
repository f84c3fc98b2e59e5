"""Instances of one series as a volume, and the volume's pixels back in the instances.

References
----------
PS3.3 §C.7.6.2 (Image Plane), §C.7.6.3 (Image Pixel), §C.7.5.1 (Pixel Padding), §C.11.1 (Modality LUT).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRBigEndian

from anonymizer.errors import CannotVouch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

#: A single stack with fewer slices is a localizer, or a part of a series.
MIN_SLICES: Final = 20
MAX_VOXELS: Final = 1 << 28
#: Largest difference of cosines and relative difference of spacings that rounding explains.
_SAME: Final = 1e-3
#: A step from slice to slice may differ from the usual one by this share of it, or by 0.02 mm.
_STEP_SHARE, _STEP_MM = 0.02, 0.02
#: Slices that slip sideways by more than this against their normal, as a share of the step, are sheared.
_MAX_SLANT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Volume:
    """A series as one array.

    Attributes
    ----------
    stored
        (slices, rows, columns) as stored, unused bits included; native byte order.
    voxels
        float32 of the same shape: modality units, brighter is more.
    affine
        float64 4x4: (slice, row, column, 1), zero-based voxel centres, to LPS in mm.
    order
        Index of the input instance of each slice; slices ascend along their normal.
    inverted
        MONOCHROME1: low stored values are bright.
    padding
        Pixel Padding Value as stored, where there is one.
    """

    stored: NDArray[np.integer]
    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    order: tuple[int, ...]
    inverted: bool
    padding: int | None


def refuse(advice: str, keyword: str | None = None) -> CannotVouch:
    """The error of a series whose face cannot be removed."""
    return CannotVouch("face-not-removed", advice, keyword)


def read_dataset(part10: bytes, *, pixels: bool = True) -> Dataset:
    """Parse one instance.

    Raises
    ------
    CannotVouch
        If pydicom cannot read it.
    """
    try:
        return pydicom.dcmread(io.BytesIO(part10), stop_before_pixels=not pixels)
    except Exception as exc:  # noqa: BLE001  a parser raises whatever it likes, and its text may hold values
        raise refuse(f"an instance cannot be read ({type(exc).__name__})") from None


def read_volume(instances: Sequence[bytes]) -> Volume:
    """Decode a series of single-frame grey images into one volume.

    Raises
    ------
    CannotVouch
        If they are no regular, complete stack.
    """
    if len(instances) < MIN_SLICES:
        raise refuse(f"{len(instances)} instances are too few for a head, {MIN_SLICES} are needed")
    datasets = [read_dataset(data) for data in instances]
    order, affine = _stack(datasets)
    first = datasets[0]
    shape = (len(datasets), int(first.Rows), int(first.Columns))
    if np.prod(shape, dtype=np.int64) > MAX_VOXELS:
        raise refuse(f"the volume has more than {MAX_VOXELS} voxels")
    inverted = _same_in_all(datasets, "PhotometricInterpretation") == "MONOCHROME1"
    stored: NDArray[np.integer] | None = None
    voxels = np.empty(shape, dtype=np.float32)
    for place, index in enumerate(order):
        ds = datasets[index]
        plane = _stored(ds)
        if stored is None:
            stored = np.empty(shape, dtype=plane.dtype)
        if plane.dtype != stored.dtype or plane.shape != shape[1:]:
            raise refuse("the images have different kinds of pixels", "PixelData")
        stored[place] = plane
        voxels[place] = _modality_values(ds, plane, inverted=inverted)
        del ds.PixelData
    assert stored is not None  # noqa: S101  there are slices
    if not np.isfinite(voxels).all():
        raise refuse("the images hold values that are no numbers", "PixelData")
    padding = first.get("PixelPaddingValue")
    return Volume(stored, voxels, affine, order, inverted, padding if isinstance(padding, int) else None)


def _same_in_all(datasets: Sequence[Dataset], keyword: str) -> str:
    values = {str(ds.get(keyword, "")) for ds in datasets}
    if len(values) != 1:
        raise refuse("the instances of the series differ", keyword)
    return values.pop()


# -------------------------------------------------------------------------------------------- geometry


def _stack(datasets: Sequence[Dataset]) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Order along the slice normal, and the affine."""
    for keyword in ("Rows", "Columns", "FrameOfReferenceUID", "SeriesInstanceUID"):
        _same_in_all(datasets, keyword)
    positions = np.array([_numbers(ds, "ImagePositionPatient", 3) for ds in datasets])
    cosines = np.array([_numbers(ds, "ImageOrientationPatient", 6) for ds in datasets])
    spacings = np.array([_numbers(ds, "PixelSpacing", 2) for ds in datasets])
    along_row, along_column = cosines[0, :3], cosines[0, 3:]
    lengths = np.linalg.norm(cosines[0].reshape(2, 3), axis=1)
    if np.abs(lengths - 1).max() > 0.01 or abs(float(along_row @ along_column)) > 0.01:
        raise refuse("rows and columns are not perpendicular", "ImageOrientationPatient")
    if np.abs(cosines - cosines[0]).max() > _SAME:
        raise refuse("the slices have different orientations", "ImageOrientationPatient")
    if spacings.min() <= 0 or np.ptp(spacings, axis=0).max() > _SAME * spacings.min():
        raise refuse("the pixel spacing is wrong or differs", "PixelSpacing")
    normal = np.cross(along_row, along_column)
    distances = positions @ normal
    order = np.argsort(distances, kind="stable")
    _check_steps(np.diff(distances[order]))
    ordered = positions[order]
    step = (ordered[-1] - ordered[0]) / (len(ordered) - 1)
    line = ordered[0] + np.arange(len(ordered))[:, np.newaxis] * step
    sideways = step - (step @ normal) * normal
    slant = float(np.linalg.norm(sideways) / np.linalg.norm(step))
    if np.abs(ordered - line).max() > 0.5 * float(spacings.min()) or slant > _MAX_SLANT:
        raise refuse("the slices do not lie behind one another", "ImagePositionPatient")
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = along_column / lengths[1] * spacings[0, 0]
    affine[:3, 2] = along_row / lengths[0] * spacings[0, 1]
    affine[:3, 3] = ordered[0]
    return tuple(int(index) for index in order), affine


def _numbers(ds: Dataset, keyword: str, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(value) for value in ds[keyword].value])
    except (KeyError, TypeError, ValueError):
        raise refuse("an instance does not say where its image lies", keyword) from None
    if values.shape != (count,) or not np.isfinite(values).all():
        raise refuse("an instance does not say where its image lies", keyword)
    return values


def _check_steps(steps: NDArray[np.float64]) -> None:
    usual = float(np.median(steps))
    if steps.min() < 0.01:
        raise refuse("several slices stand at one position", "ImagePositionPatient")
    uneven = np.abs(steps - usual) > max(_STEP_SHARE * usual, _STEP_MM)
    if uneven.any():
        raise refuse("slices are missing or unevenly spaced", "ImagePositionPatient")


# ---------------------------------------------------------------------------------------------- pixels


def _stored(ds: Dataset) -> NDArray[np.integer]:
    """Pixels of one image as stored; a copy."""
    if int(ds.get("NumberOfFrames", 1) or 1) != 1:
        raise refuse("multi-frame images are not supported", "NumberOfFrames")
    photometric = str(ds.get("PhotometricInterpretation", ""))
    allocated = int(ds.get("BitsAllocated", 0))
    if int(ds.get("SamplesPerPixel", 1)) != 1 or not photometric.startswith("MONOCHROME"):
        raise refuse("the images are not grey", "PhotometricInterpretation")
    if allocated not in {8, 16} or "PixelData" not in ds:
        raise refuse("the images have no pixels of 8 or 16 bits", "PixelData")
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_compressed:
        try:
            return np.array(ds.pixel_array)
        except Exception as exc:  # noqa: BLE001  codecs raise whatever they like
            raise refuse(f"an image cannot be decoded ({type(exc).__name__})", "PixelData") from None
    rows, columns = int(ds.Rows), int(ds.Columns)
    kind = "i" if int(ds.get("PixelRepresentation", 0)) == 1 else "u"
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    dtype = np.dtype(f"{order}{kind}{allocated // 8}")
    if len(ds.PixelData) < rows * columns * dtype.itemsize:
        raise refuse("an image has fewer pixels than its rows and columns say", "PixelData")
    plane = np.frombuffer(ds.PixelData, dtype=dtype, count=rows * columns).reshape(rows, columns)
    return plane.astype(dtype.newbyteorder("="))


def _modality_values(ds: Dataset, plane: NDArray[np.integer], *, inverted: bool) -> NDArray[np.float32]:
    bits = int(ds.get("BitsStored", ds.BitsAllocated))
    unused = int(ds.BitsAllocated) - bits
    if not 0 <= unused < int(ds.BitsAllocated):
        raise refuse("Bits Stored and Bits Allocated contradict each other", "BitsStored")
    values = plane
    if unused:
        # To the top and back: what lies above falls out, and the sign spreads where there is one.
        low = 0 if ds.file_meta.TransferSyntaxUID.is_compressed else max(int(ds.HighBit) + 1 - bits, 0)
        values = np.right_shift(np.left_shift(plane, unused - low), unused)
    try:
        slope, intercept = float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)
    except (TypeError, ValueError):
        raise refuse("the rescale makes no sense", "RescaleSlope") from None
    scaled = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return -scaled if inverted else scaled
