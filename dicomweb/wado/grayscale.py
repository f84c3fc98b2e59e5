"""Grayscale from stored values to 8 bits: modality, VOI and presentation transformations.

References
----------
PS3.4 §N.2.1 (sequence of transformations), PS3.3 §C.11.1 (Modality LUT), PS3.3 §C.11.2 (VOI LUT),
PS3.3 §C.11.6 (Presentation LUT), PS3.3 §C.7.5.1.1.2 (pixel padding).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from dicomweb.part10 import READ_ERRORS
from dicomweb.wado.rendering_parameters import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

#: Of the values of an image without a window, this part lies below and above what is told apart.
_TAILS = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class GrayscaleSteps:
    """Where each transformation is described: in the image itself, or in a presentation state.

    Attributes
    ----------
    modality
        Holds the rescale slope and intercept, or the Modality LUT Sequence.
    voi
        Holds windows or the VOI LUT Sequence.
    inverse
        Whether the lowest value is white.
    presentation_lut
        Item of a Presentation LUT Sequence.
    """

    modality: Dataset
    voi: Dataset
    inverse: bool
    presentation_lut: Dataset | None = None


def steps_of(ds: Dataset, index: int) -> GrayscaleSteps:
    """The transformations that an image brings for one of its frames, counted from 0."""
    modality = ds
    if "ModalityLUTSequence" not in ds:
        modality = functional_group(ds, index, "PixelValueTransformationSequence")
    inverse = (
        ds.get("PhotometricInterpretation") == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE"
    )
    return GrayscaleSteps(modality, functional_group(ds, index, "FrameVOILUTSequence"), inverse)


def stored_values(pixels: NDArray[Any], ds: Dataset) -> NDArray[Any]:
    """Pixel values without what else lies in their cells (overlays in the high bits, say)."""
    allocated, stored = int(ds.get("BitsAllocated", 16) or 16), int(ds.get("BitsStored", 0) or 0)
    if pixels.dtype.kind not in "iu" or not 1 < stored < allocated:
        return pixels
    mask = (1 << stored) - 1
    if pixels.dtype.kind == "u":
        return pixels & mask if pixels.max(initial=0) > mask else pixels
    half = 1 << (stored - 1)
    if pixels.max(initial=0) < half and pixels.min(initial=0) >= -half:
        return pixels
    return ((pixels.astype(np.int64) & mask) ^ half) - half


def modality_values(pixels: NDArray[Any], source: Dataset) -> NDArray[np.float64]:
    """Stored values in the units of the modality (HU, say)."""
    if "ModalityLUTSequence" in source:
        return np.asarray(apply_modality_lut(pixels, source), np.float64)
    slope = first_number(source, "RescaleSlope")
    intercept = first_number(source, "RescaleIntercept")
    return pixels.astype(np.float64) * (slope or 1.0) + (intercept or 0.0)


def padding_of(pixels: NDArray[Any], ds: Dataset) -> NDArray[np.bool_] | None:
    """Which pixels are padding, around a picture that is no rectangle; `None` where none is declared."""
    value = None
    for keyword in ("PixelPaddingValue", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue"):
        value = first_number(ds, keyword)
        if value is not None:
            break
    if value is None:
        return None
    limit: float | None = value
    for keyword in (
        "PixelPaddingRangeLimit",
        "FloatPixelPaddingRangeLimit",
        "DoubleFloatPixelPaddingRangeLimit",
    ):
        limit = first_number(ds, keyword) if keyword in ds else limit
    low, high = sorted((value, value if limit is None else limit))
    return (pixels >= low) & (pixels <= high)


def value_limits(
    values: NDArray[np.float64], padding: NDArray[np.bool_] | None = None
) -> tuple[float, float] | None:
    """The range that holds nearly all values, without padding; `None` where there is no value."""
    finite = np.isfinite(values) if padding is None else np.isfinite(values) & ~padding
    shown = values[finite]
    if not shown.size:
        return None
    low, high = (float(value) for value in np.percentile(shown, _TAILS))
    if high <= low:
        low, high = float(shown.min()), float(shown.max())
    return low, high


def own_window(source: Dataset) -> Window | None:
    """The first window that is described, where it is a valid one."""
    center, width = first_number(source, "WindowCenter"), first_number(source, "WindowWidth")
    function = str(source.get("VOILUTFunction", "LINEAR") or "LINEAR")
    if center is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return None
    return Window(center, width, function)


def needs_limits(steps: GrayscaleSteps, window: Window | None) -> bool:
    """Whether nothing tells which values to show, so that their range must be found."""
    return window is None and own_window(steps.voi) is None and "VOILUTSequence" not in steps.voi


def to_shades(
    values: NDArray[np.float64],
    steps: GrayscaleSteps,
    window: Window | None,
    limits: tuple[float, float] | None,
) -> NDArray[np.uint8]:
    """Values of the modality as 0 (black) to 255 (white).

    Parameters
    ----------
    window
        Asked for; it takes the place of what the image says.
    limits
        Where `needs_limits`: the values that become black and white.
    """
    window = window or own_window(steps.voi)
    if window is not None:
        scaled = _windowed(values, window)
    elif "VOILUTSequence" in steps.voi:
        table = steps.voi.VOILUTSequence[0]
        bits = int(table.LUTDescriptor[2])
        scaled = np.asarray(apply_voi(values.astype(np.int64), steps.voi), np.float64) / ((1 << bits) - 1)
    elif limits is None:
        scaled = np.zeros(values.shape)
    elif limits[1] <= limits[0]:
        scaled = np.full(values.shape, 0.5)
    else:
        scaled = (values - limits[0]) / (limits[1] - limits[0])
    scaled = np.clip(np.nan_to_num(scaled, nan=0.0), 0, 1)
    if steps.presentation_lut is not None:
        scaled = _through_table(scaled, steps.presentation_lut)
    shades = (scaled * 255 + 0.5).astype(np.uint8)
    return 255 - shades if steps.inverse else shades


def _windowed(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """PS3.3 §C.11.2.1.2.1 to §C.11.2.1.3, output 0 to 1 and beyond."""
    if window.function == "SIGMOID":
        exponent = np.clip(-4 * (values - window.center) / window.width, -60, 60)
        return 1 / (1 + np.exp(exponent))
    if window.function == "LINEAR_EXACT":
        return (values - window.center) / window.width + 0.5
    return (values - (window.center - 0.5)) / max(window.width - 1, 1e-9) + 0.5


def _through_table(scaled: NDArray[np.float64], table: Dataset) -> NDArray[np.float64]:
    data = table.LUTData
    bits = int(table.LUTDescriptor[2])
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2" if len(data) >= 2 * int(table.LUTDescriptor[0] or 65536) else "u1")
    entries = np.atleast_1d(np.asarray(data, np.float64)) / ((1 << bits) - 1)
    return entries[(scaled * (entries.size - 1) + 0.5).astype(np.intp)].clip(0, 1)


def functional_group(ds: Dataset, index: int, keyword: str) -> Dataset:
    """The macro of a frame in an enhanced instance (per frame, then shared), else the data set itself."""
    per_frame = ds.get("PerFrameFunctionalGroupsSequence") or ()
    shared = ds.get("SharedFunctionalGroupsSequence") or ()
    for group in (*per_frame[index : index + 1], *shared[:1]):
        macro = group.get(keyword)
        if macro:
            return macro[0]  # type: ignore[no-any-return]
    return ds


def first_number(ds: Dataset, keyword: str, position: int = 0) -> float | None:
    """A value of an attribute, the first by default, as a finite number, or `None`."""
    try:
        value = ds.get(keyword)
        if value is None or value == "":
            return None
        if hasattr(value, "__getitem__") and not isinstance(value, str):
            value = value[position]
        elif position:
            return None
        value = float(value)
    except READ_ERRORS:
        return None
    return value if np.isfinite(value) else None
