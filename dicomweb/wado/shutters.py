"""Display shutters: what lies outside of them is not shown.

References
----------
PS3.3 §C.7.6.11 (Display Shutter Module).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from dicomweb.wado.grayscale import first_number

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_EDGES = (
    "ShutterLeftVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterRightVerticalEdge",
    "ShutterLowerHorizontalEdge",
)


def apply_shutter(image: Image.Image, ds: Dataset) -> Image.Image:
    """The image with everything outside of the shutters of a data set in the shutter's shade.

    The image must have the size of the pixel matrix. Where there are several shutters, what all of them
    leave open is shown.
    """
    shapes = ds.get("ShutterShape")
    if not shapes:
        return image
    open_part = np.ones((image.height, image.width), bool)
    for shape in [shapes] if isinstance(shapes, str) else shapes:
        mask = Image.new("1", image.size, 0)
        if _draw_opening(ImageDraw.Draw(mask), str(shape), ds):
            open_part &= np.asarray(mask)
    if open_part.all():
        return image
    shade = int((first_number(ds, "ShutterPresentationValue") or 0) / 65535 * 255)
    closed = Image.new(image.mode, image.size, shade if image.mode == "L" else (shade,) * 3)
    return Image.composite(image, closed, Image.fromarray(open_part))


def _draw_opening(draw: ImageDraw.ImageDraw, shape: str, ds: Dataset) -> bool:
    """Fill what a shutter leaves open; whether it is described completely."""
    if shape == "RECTANGULAR":
        left, upper, right, lower = (first_number(ds, keyword) for keyword in _EDGES)
        if left is None or upper is None or right is None or lower is None or right < left or lower < upper:
            return False
        draw.rectangle((left - 1, upper - 1, right - 1, lower - 1), fill=1)
    elif shape == "CIRCULAR":
        row, column = (first_number(ds, "CenterOfCircularShutter", position) for position in (0, 1))
        radius = first_number(ds, "RadiusOfCircularShutter")
        if row is None or column is None or radius is None or radius < 0:
            return False
        x, y = column - 1, row - 1
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    elif shape == "POLYGONAL":
        values = [float(value) - 1 for value in ds.get("VerticesOfThePolygonalShutter") or ()]
        corners = list(zip(values[1::2], values[0::2], strict=False))
        if len(corners) < 3:
            return False
        draw.polygon(corners, fill=1)
    else:
        return False
    return True
