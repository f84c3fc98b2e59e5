"""Pictures of instances in quarantine, drawn as DICOMweb draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dicom_node.domain.errors import InvalidInstance, NotFound
from dicom_node.domain.quarantine import Preview
from dicomweb.errors import Problem
from dicomweb.instance_cache import ParsedInstance
from dicomweb.wado.rendered import PNG, FrameRenderer, encode_image
from dicomweb.wado.rendering_parameters import Rendering

if TYPE_CHECKING:
    from dicomweb.wado.frames import FrameReader


def render_preview(part10: bytes, frame: int, *, all_values: bool) -> Preview:
    """One frame as PNG; nothing of it is kept.

    Parameters
    ----------
    frame
        Counts from 1.
    all_values
        Show every grey value between the least and the greatest, whatever window the instance names:
        text outside the window would not be seen.

    Raises
    ------
    NotFound
        If it has no such frame, or no picture at all.
    """
    try:
        instance = ParsedInstance(part10)
        frames = instance.frames
        if all_values:
            image = _all_values(frames, frame - 1)
        else:
            image = FrameRenderer(shutters=False).render(instance, frame - 1, Rendering())
    except (Problem, InvalidInstance) as exc:
        raise NotFound("it has no picture that can be drawn here; download it to look at it") from exc
    return Preview(encode_image(image, PNG), frames.count)


def _all_values(frames: FrameReader, index: int) -> Image.Image:
    pixels = frames.pixels(index).astype(np.float64)
    low, high = float(pixels.min()), float(pixels.max())
    return Image.fromarray(((pixels - low) * (255 / max(high - low, 1))).round().astype(np.uint8))
