"""Images for browsers: modality and VOI transformation, colour, viewport, encoding as JPEG or PNG.

References
----------
PS3.18 §10.4.1.1.3 (rendered resources), PS3.3 §C.11.2.1.2 (windows), PS3.3 §C.7.6.3.1.2 (photometric
interpretations), PS3.4 §N.2 (sequence of transformations).
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from dicomweb.errors import not_acceptable
from dicomweb.part10 import READ_ERRORS
from dicomweb.wado.rendering_parameters import Rendering, Viewport, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from dicomweb.instance_cache import ParsedInstance

JPEG = "image/jpeg"
PNG = "image/png"
GIF = "image/gif"
_FORMATS = {JPEG: "JPEG", PNG: "PNG"}


def render_frame(instance: ParsedInstance, index: int, rendering: Rendering) -> Image.Image:
    """One frame as an 8 bit image, mode L or RGB, in the asked viewport; `index` counts from 0.

    Raises
    ------
    NotFound
        If there is no such frame.
    Problem
        406 if it cannot be decoded or transformed here.
    """
    pixels = instance.frames.pixels(index)
    try:
        shades = _to_display(pixels, instance.dataset, index, rendering.window)
    except (*READ_ERRORS, MemoryError) as exc:
        raise not_acceptable(
            "the image cannot be rendered: its display attributes are inconsistent; retrieve its frames"
        ) from exc
    image = Image.fromarray(shades)
    return fit(image, rendering.viewport) if rendering.viewport is not None else image


def encode_image(image: Image.Image, media_type: str, quality: int = 90) -> bytes:
    """The image as JPEG or PNG."""
    out = BytesIO()
    image.save(out, _FORMATS[media_type], **({"quality": quality} if media_type == JPEG else {}))
    return out.getvalue()


def encode_animation(images: Sequence[Image.Image], frame_ms: int) -> bytes:
    """The images as an endless animated GIF; `frame_ms` is the time of a frame in ms."""
    out = BytesIO()
    images[0].save(
        out, "GIF", save_all=True, append_images=list(images[1:]), duration=max(20, frame_ms), loop=0
    )
    return out.getvalue()


def placeholder(label: str, size: tuple[int, int]) -> Image.Image:
    """A grey tile for what has no picture, or one that shall not be shown; `label` is a modality."""
    image = Image.new("L", size, 48)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=128)
    draw.text((size[0] / 2, size[1] / 2), label[:16], fill=220, anchor="mm")
    return image


def fit(image: Image.Image, viewport: Viewport) -> Image.Image:
    """The asked region, as large as fits the viewport with its aspect ratio kept."""
    x = viewport.region_x or 0.0
    y = viewport.region_y or 0.0
    width = viewport.region_width if viewport.region_width is not None else image.width - x
    height = viewport.region_height if viewport.region_height is not None else image.height - y
    box = (
        int(max(0, min(x, image.width - 1))),
        int(max(0, min(y, image.height - 1))),
        int(min(image.width, max(x + 1, x + abs(width)))),
        int(min(image.height, max(y + 1, y + abs(height)))),
    )
    if box != (0, 0, image.width, image.height):
        image = image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1)))
    if width < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if height < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    scale = min(viewport.width / image.width, viewport.height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def _to_display(pixels: NDArray[Any], ds: Dataset, index: int, window: Window | None) -> NDArray[np.uint8]:
    photometric = str(ds.get("PhotometricInterpretation", "MONOCHROME2"))
    if photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(pixels, ds), 16)
    if pixels.ndim == 3:
        return _eight_bits(pixels, int(ds.get("BitsStored", 8) or 8))
    if int(ds.get("BitsAllocated", 8) or 8) == 1:
        shades = (pixels > 0).astype(np.uint8) * 255
    else:
        shades = _windowed(pixels, ds, index, window)
    inverse = photometric == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE"
    return 255 - shades if inverse else shades


def _windowed(pixels: NDArray[Any], ds: Dataset, index: int, window: Window | None) -> NDArray[np.uint8]:
    if "ModalityLUTSequence" in ds:
        values = np.asarray(apply_modality_lut(pixels, ds), np.float64)
    else:
        group = _functional_group(ds, index, "PixelValueTransformationSequence")
        slope = first_number(group, "RescaleSlope")
        intercept = first_number(group, "RescaleIntercept")
        values = pixels.astype(np.float64) * (slope or 1.0) + (intercept or 0.0)
    if window is None and "VOILUTSequence" in ds and "WindowCenter" not in ds:
        return _stretch(np.asarray(apply_voi(values.astype(np.int64), ds), np.float64))
    window = window or _own_window(ds, index)
    if window is None:
        padding = first_number(ds, "PixelPaddingValue")
        return _stretch(values, None if padding is None else pixels != padding)
    return _apply_window(values, window)


def _own_window(ds: Dataset, index: int) -> Window | None:
    group = _functional_group(ds, index, "FrameVOILUTSequence")
    center, width = first_number(group, "WindowCenter"), first_number(group, "WindowWidth")
    function = str(group.get("VOILUTFunction", "LINEAR") or "LINEAR")
    if center is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return None
    return Window(center, width, function)


def _apply_window(values: NDArray[np.float64], window: Window) -> NDArray[np.uint8]:
    """PS3.3 §C.11.2.1.2.1 to §C.11.2.1.3, output 0 to 255."""
    if window.function == "SIGMOID":
        exponent = np.clip(-4 * (values - window.center) / window.width, -60, 60)
        scaled = 1 / (1 + np.exp(exponent))
    elif window.function == "LINEAR_EXACT":
        scaled = (values - window.center) / window.width + 0.5
    else:
        scaled = (values - (window.center - 0.5)) / max(window.width - 1, 1e-9) + 0.5
    return _quantise(scaled)


def _stretch(values: NDArray[np.float64], visible: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """The range that holds nearly all values, without padding, on 0 to 255."""
    finite = np.isfinite(values) if visible is None else np.isfinite(values) & visible
    shown = values[finite]
    if not shown.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(shown, (0.5, 99.5))
    if high <= low:
        low, high = float(shown.min()), float(shown.max())
    if high <= low:
        return np.full(values.shape, 128, np.uint8)
    return _quantise((values - low) / (high - low))


def _quantise(scaled: NDArray[np.float64]) -> NDArray[np.uint8]:
    return (np.clip(np.nan_to_num(scaled), 0, 1) * 255 + 0.5).astype(np.uint8)


def _eight_bits(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    return (pixels.astype(np.uint32) >> max(0, bits - 8)).clip(0, 255).astype(np.uint8)


def _functional_group(ds: Dataset, index: int, keyword: str) -> Dataset:
    """The macro of a frame in an enhanced instance (per frame, then shared), else the data set itself."""
    per_frame = ds.get("PerFrameFunctionalGroupsSequence") or ()
    shared = ds.get("SharedFunctionalGroupsSequence") or ()
    for group in (*per_frame[index : index + 1], *shared[:1]):
        macro = group.get(keyword)
        if macro:
            return macro[0]  # type: ignore[no-any-return]
    return ds


def first_number(ds: Dataset, keyword: str) -> float | None:
    """The first value of an attribute as a finite number, or `None`."""
    try:
        value = ds.get(keyword)
        if value is None or value == "":
            return None
        value = float(value[0] if hasattr(value, "__getitem__") and not isinstance(value, str) else value)
    except READ_ERRORS:
        return None
    return value if np.isfinite(value) else None
