"""Bytes of a PNG, JPEG or DICOM file become one image, as models and pictures need it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dicom_node.domain.errors import InvalidInstance
from dicom_node.domain.single_image import ImageFacts
from inference.encode.window import grey_of_pixels
from inference.one_image.dicom_file import read_dicom
from inference.one_image.limits import check_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_DICOM_AT = 128
#: Channels that differ by less, in nearly all pixels, are a grey image with the noise of JPEG.
_GREY_SPREAD, _GREY_SHARE = 16, 0.99
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class OneImage:
    """A decoded image.

    Attributes
    ----------
    pixels
        float32 (rows, columns) in modality units, brighter is more, or (rows, columns, 3) in red, green,
        blue, 0 to 255.
    shown
        uint8, the same as people see it.
    spacing_unit
        What the spacing is measured in: `mm`, or `mm at detector`.
    """

    facts: ImageFacts
    pixels: NDArray[np.float32]
    shown: NDArray[np.uint8]
    spacing_unit: str = "mm"


def decode(data: bytes, max_pixels: int) -> OneImage:
    """Read an image; its size is looked at before its pixels are.

    Raises
    ------
    InvalidInstance
        If the bytes are none of the formats, are broken, hold several frames, or more than `max_pixels`.
    """
    kind = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
    if kind is not None:
        return _picture(data, kind, max_pixels)
    if data[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        found = read_dicom(data, max_pixels)
        shown = (
            found.pixels.astype(np.uint8)
            if found.facts.colour
            else grey_of_pixels(found.pixels, found.window)
        )
        return OneImage(found.facts, found.pixels, shown, found.spacing_unit)
    raise InvalidInstance("this is no PNG, JPEG or DICOM file (Part 10); send one of these")


def _picture(data: bytes, kind: str, max_pixels: int) -> OneImage:
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as opened:
            check_size(opened.height, opened.width, max_pixels)
            pixels = _values(opened)
    except InvalidInstance:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as exc:
        raise InvalidInstance(f"the {kind} file is broken; send it again") from exc
    if pixels.ndim == 3 and _is_grey(pixels):
        pixels = pixels @ _LUMINANCE
    colour = pixels.ndim == 3
    of_8_bits = pixels.min() >= 0 and pixels.max() <= 255
    shown = pixels.astype(np.uint8) if of_8_bits else grey_of_pixels(pixels)
    facts = ImageFacts(kind, pixels.shape[0], pixels.shape[1], colour)
    return OneImage(facts, np.ascontiguousarray(pixels, np.float32), shown)


def _values(opened: Image.Image) -> NDArray[np.float32]:
    """Turned upright as a camera meant it; transparency over black."""
    image = ImageOps.exif_transpose(opened)
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"), np.float32)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return np.asarray(image.convert("RGB"), np.float32)


def _is_grey(pixels: NDArray[np.float32]) -> bool:
    spread = pixels.max(axis=2) - pixels.min(axis=2)
    return bool((spread <= _GREY_SPREAD).mean() >= _GREY_SHARE)
