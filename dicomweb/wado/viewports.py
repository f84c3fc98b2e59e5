"""Viewports: which region of an image is shown, how large, and in which shape.

References
----------
PS3.18 §8.3.5.1.3 (viewport scaling), PS3.3 §C.7.6.3.1.7 (pixel aspect ratio), PS3.3 §10.7 (spacings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from dicomweb.wado.grayscale import first_number, functional_group

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomweb.wado.rendering_parameters import Viewport

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
#: Ratios nearer to 1 than this are square; ones further off than that are not believed.
_SQUARE, _BELIEVED = 0.01, 16.0


def pixel_aspect(ds: Dataset, index: int) -> float:
    """How many times a pixel of a frame is taller than wide."""
    ratio = _ratio(ds, "PixelAspectRatio")
    if ratio is None:
        measures = functional_group(ds, index, "PixelMeasuresSequence")
        for keyword in _SPACINGS:
            ratio = _ratio(measures, keyword)
            if ratio is not None:
                break
    return 1.0 if ratio is None or abs(ratio - 1) < _SQUARE else ratio


def _ratio(ds: Dataset, keyword: str) -> float | None:
    vertical, horizontal = (first_number(ds, keyword, position) for position in (0, 1))
    if vertical is None or horizontal is None or vertical <= 0 or horizontal <= 0:
        return None
    ratio = vertical / horizontal
    return ratio if 1 / _BELIEVED <= ratio <= _BELIEVED else None


def fit(image: Image.Image, viewport: Viewport, aspect: float = 1.0) -> Image.Image:
    """The asked region, as large as fits the viewport with its aspect ratio kept.

    Parameters
    ----------
    aspect
        How many times a pixel of the image is taller than wide.
    """
    x = abs(viewport.region_x or 0.0)
    y = abs(viewport.region_y or 0.0)
    width = viewport.region_width if viewport.region_width is not None else image.width - x
    height = viewport.region_height if viewport.region_height is not None else image.height - y
    left, upper = int(min(x, image.width - 1)), int(min(y, image.height - 1))
    box = (
        left,
        upper,
        int(max(left + 1, min(image.width, x + abs(width)))),
        int(max(upper + 1, min(image.height, y + abs(height)))),
    )
    if box != (0, 0, image.width, image.height):
        image = image.crop(box)
    if width < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if height < 0:
        image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return scaled_into(image, (viewport.width, viewport.height), aspect)


def scaled_into(image: Image.Image, space: tuple[int, int], aspect: float = 1.0) -> Image.Image:
    """The whole image as large as fits a space of (width, height), in its own shape."""
    scale = min(space[0] / image.width, space[1] / (image.height * aspect))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * aspect * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)
