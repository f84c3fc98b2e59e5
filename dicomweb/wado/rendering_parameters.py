"""Query parameters of rendered resources and thumbnails.

References
----------
PS3.18 §8.3.5 (rendering query parameters).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomweb.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_VIEWPORT = 8192
_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_ANNOTATIONS = frozenset({"patient", "technique"})
_ICC = frozenset({"no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"})


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window: centre and width in output units of the modality transformation."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Viewport:
    """Where an image is drawn: size in pixels, and the source region (negative sizes flip).

    `None` for a region value means the default of the standard: the whole image.
    """

    width: int
    height: int
    region_x: float | None = None
    region_y: float | None = None
    region_width: float | None = None
    region_height: float | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """How to render.

    Attributes
    ----------
    quality
        JPEG quality, 1 to 100.
    ignored
        Names of parameters that were valid but are not supported.
    """

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = 90
    ignored: tuple[str, ...] = ()


def parse_rendering(params: Mapping[str, str]) -> Rendering:
    """Read the rendering parameters of a query; parameters of other kinds are left alone.

    Raises
    ------
    Problem
        400 if one is malformed.
    """
    ignored = []
    if "annotation" in params:
        values = {value.strip() for value in params["annotation"].split(",")}
        if not values <= _ANNOTATIONS:
            raise bad_request("annotation is patient, technique, or both separated by a comma")
        ignored.append("annotation")
    if "iccprofile" in params:
        if params["iccprofile"] not in _ICC:
            raise bad_request(f"iccprofile is one of {', '.join(sorted(_ICC))}")
        if params["iccprofile"] != "no":
            ignored.append("iccprofile")
    return Rendering(
        window=_window(params["window"]) if "window" in params else None,
        viewport=_viewport(params["viewport"]) if "viewport" in params else None,
        quality=_quality(params["quality"]) if "quality" in params else 90,
        ignored=tuple(ignored),
    )


def _quality(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise bad_request("quality is an integer from 1 to 100")
    return int(text)


def _window(text: str) -> Window:
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) not in {2, 3}:
        raise bad_request("window is center,width,function, such as 40,400,linear")
    center, width = _finite(pieces[0], "window"), _finite(pieces[1], "window")
    function = _FUNCTIONS.get(pieces[2].lower() if len(pieces) == 3 else "linear")
    if function is None:
        raise bad_request(f"the window function is one of {', '.join(_FUNCTIONS)}")
    if width < 1 if function == "LINEAR" else width <= 0:
        raise bad_request("the window width is at least 1 (linear) or over 0 (linear-exact, sigmoid)")
    return Window(center, width, function)


def _viewport(text: str) -> Viewport:
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) not in {2, 6}:
        raise bad_request("viewport is width,height or width,height,x,y,region-width,region-height")
    size = []
    for piece in pieces[:2]:
        value = _finite(piece, "viewport")
        if not 1 <= value <= MAX_VIEWPORT or value != int(value):
            raise bad_request(f"the viewport's width and height are integers from 1 to {MAX_VIEWPORT}")
        size.append(int(value))
    region = [_finite(piece, "viewport") if piece else None for piece in pieces[2:]]
    if any(value == 0 for value in region[2:]):
        raise bad_request("the viewport's region has no size; leave it empty for the whole image")
    return Viewport(*size, *region)


def _finite(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise bad_request(f"{name} has a value that is no number")
    return value
