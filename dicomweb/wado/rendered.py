"""Frames as images for browsers: transformation to 8 bits, viewport, annotation, encoding.

References
----------
PS3.18 §8.3.5 (parameters), §8.7.4 (rendered media types), PS3.4 §N.2 (sequence of transformations).
"""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dicomweb.errors import not_acceptable
from dicomweb.part10 import READ_ERRORS
from dicomweb.wado.annotation import annotate
from dicomweb.wado.colour import is_colour, is_segmentation, segments_in_colour, to_colour
from dicomweb.wado.colour_profiles import apply_profile
from dicomweb.wado.grayscale import (
    GrayscaleSteps,
    modality_values,
    needs_limits,
    padding_of,
    steps_of,
    stored_values,
    to_shades,
    value_limits,
)
from dicomweb.wado.rendering_parameters import DEFAULT_QUALITY
from dicomweb.wado.shutters import apply_shutter
from dicomweb.wado.video import decode_frames, is_video, stored_stream
from dicomweb.wado.viewports import fit, pixel_aspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dicomweb.instance_cache import ParsedInstance
    from dicomweb.wado.presentation_state import PresentationState
    from dicomweb.wado.rendering_parameters import Rendering, Viewport, Window

JPEG = "image/jpeg"
PNG = "image/png"
GIF = "image/gif"
_FORMATS = {JPEG: "JPEG", PNG: "PNG", GIF: "GIF"}
#: Media types whose images can carry an ICC profile.
WITH_PROFILE = frozenset({JPEG, PNG})
#: Frames that are looked at for the range of values of an instance without a window.
_SAMPLED_FRAMES = 16


class FrameRenderer:
    """Renders frames; keeps the range of values of instances that tell no window.

    Parameters
    ----------
    shutters
        Whether what lies outside of an image's own shutter stays dark. Whoever looks for what is
        written into an image must see all of it.
    """

    def __init__(self, *, shutters: bool = True) -> None:
        self._shutters = shutters
        self._limits: WeakKeyDictionary[ParsedInstance, tuple[float, float] | None] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def render(
        self,
        instance: ParsedInstance,
        index: int,
        rendering: Rendering,
        presentation: PresentationState | None = None,
    ) -> Image.Image:
        """One frame as an 8 bit image, mode L or RGB; `index` counts from 0.

        The image has the size of the pixel matrix where no viewport is asked for; in a viewport its
        pixels have the shape that the data set gives them.

        Raises
        ------
        NotFound
            If there is no such frame.
        Problem
            406 if it cannot be decoded or transformed here.
        """
        (image,) = self.render_all(instance, (index,), rendering, presentation)
        return image

    def render_all(
        self,
        instance: ParsedInstance,
        indices: Sequence[int],
        rendering: Rendering,
        presentation: PresentationState | None = None,
    ) -> Iterator[Image.Image]:
        """Several frames in their order, each as `render` makes it."""
        for index, pixels in zip(indices, _frames(instance, indices), strict=True):
            yield self._render(instance, pixels, index, rendering, presentation)

    def _render(
        self,
        instance: ParsedInstance,
        pixels: NDArray[Any],
        index: int,
        rendering: Rendering,
        presentation: PresentationState | None,
    ) -> Image.Image:
        ds = instance.dataset
        try:
            steps = steps_of(ds, index) if presentation is None else presentation.steps(ds, index)
            image = Image.fromarray(self._display(pixels, instance, index, rendering.window, steps))
            if presentation is None:
                image = apply_shutter(image, ds) if self._shutters else image
                if rendering.viewport is not None:
                    image = fit(image, rendering.viewport, pixel_aspect(ds, index))
            else:
                image = presentation.present(image, ds, index, rendering.viewport)
            image = apply_profile(image, ds, rendering.icc_profile)
            return annotate(image, ds, rendering.annotation, index, frame_count(instance))
        except (*READ_ERRORS, MemoryError, ZeroDivisionError) as exc:
            raise not_acceptable(
                "the image cannot be rendered: its display attributes are inconsistent; retrieve its frames"
            ) from exc

    def _display(
        self,
        pixels: NDArray[Any],
        instance: ParsedInstance,
        index: int,
        window: Window | None,
        steps: GrayscaleSteps,
    ) -> NDArray[np.uint8]:
        ds = instance.dataset
        if is_colour(ds, pixels):
            return to_colour(pixels, ds)
        if is_segmentation(ds):
            return segments_in_colour(pixels, ds, index)
        if int(ds.get("BitsAllocated", 8) or 8) == 1:
            shades = (pixels > 0).astype(np.uint8) * 255
            return 255 - shades if steps.inverse else shades
        pixels = stored_values(pixels, ds)
        padding = padding_of(pixels, ds)
        values = modality_values(pixels, steps.modality)
        automatic = needs_limits(steps, window)
        limits = None
        if automatic:
            limits = (
                self._range(instance, steps) if frame_count(instance) > 1 else value_limits(values, padding)
            )
        shades = to_shades(values, steps, window, limits)
        if padding is not None and automatic:
            shades[padding] = 0
        return shades

    def _range(self, instance: ParsedInstance, steps: GrayscaleSteps) -> tuple[float, float] | None:
        """The range of values over frames of an instance: one for all, so that frames can be compared."""
        with self._lock:
            if instance in self._limits:
                return self._limits[instance]
        count = frame_count(instance)
        found = []
        for index in sorted({round(n * (count - 1) / (_SAMPLED_FRAMES - 1)) for n in range(_SAMPLED_FRAMES)}):
            pixels = stored_values(instance.frames.pixels(index), instance.dataset)
            padding = padding_of(pixels, instance.dataset)
            limits = value_limits(modality_values(pixels, steps.modality), padding)
            if limits is not None:
                found.append(limits)
        result = (min(low for low, _ in found), max(high for _, high in found)) if found else None
        with self._lock:
            self._limits[instance] = result
        return result


def frame_count(instance: ParsedInstance) -> int:
    """Frames of an instance; of a stored video as the data set tells them."""
    if is_video(instance.transfer_syntax_uid):
        try:
            return max(1, int(instance.dataset.get("NumberOfFrames", 1) or 1))
        except (TypeError, ValueError):
            return 1
    return instance.frames.count


def _frames(instance: ParsedInstance, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    if not is_video(instance.transfer_syntax_uid):
        yield from (instance.frames.pixels(index) for index in indices)
    elif list(indices) == sorted(set(indices)):
        yield from decode_frames(stored_stream(instance), indices)
    else:
        for index in indices:
            yield from decode_frames(stored_stream(instance), (index,))


def telling_frame(instance: ParsedInstance) -> int:
    """The frame that shows best what is in an instance, counted from 0.

    The middle one; of a segmentation the one with most of a segment, for its middle may be empty.
    """
    count = frame_count(instance)
    if count == 1 or not is_segmentation(instance.dataset):
        return count // 2
    sampled = sorted({round(n * (count - 1) / 63) for n in range(64)})
    return max(sampled, key=lambda index: int(np.count_nonzero(instance.frames.pixels(index))))


def encode_image(image: Image.Image, media_type: str, quality: int = DEFAULT_QUALITY) -> bytes:
    """The image as JPEG (baseline), PNG or GIF, with its ICC profile where it has one."""
    out = BytesIO()
    options: dict[str, Any] = {"quality": quality} if media_type == JPEG else {}
    if media_type in WITH_PROFILE and "icc_profile" in image.info:
        options["icc_profile"] = image.info["icc_profile"]
    image.save(out, _FORMATS[media_type], **options)
    return out.getvalue()


def encode_animation(images: Sequence[Image.Image], frame_ms: int) -> bytes:
    """The images as an endless animated GIF; `frame_ms` is the time of a frame in ms."""
    out = BytesIO()
    images[0].save(
        out, "GIF", save_all=True, append_images=list(images[1:]), duration=max(20, frame_ms), loop=0
    )
    return out.getvalue()


def placeholder(label: str, viewport: Viewport) -> Image.Image:
    """A grey tile for what has no picture, or one that shall not be shown; `label` is a modality."""
    size = (viewport.width, viewport.height)
    image = Image.new("L", size, 48)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=128)
    font = ImageFont.load_default(max(8, min(size) // 6))
    draw.text((size[0] / 2, size[1] / 2), label[:16], fill=220, anchor="mm", font=font)
    return image
