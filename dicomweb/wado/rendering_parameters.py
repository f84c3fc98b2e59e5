"""Query parameters of rendered resources and thumbnails.

References
----------
PS3.18 §8.3.5 (rendering query parameters).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dicomweb.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_VIEWPORT = 8192
DEFAULT_QUALITY = 90
FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
ANNOTATIONS = ("patient", "technique")
ICC_PROFILES = ("no", "yes", "srgb", "adobergb", "rommrgb", "displayp3")
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


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

    @property
    def whole(self) -> bool:
        """Whether it names no region."""
        return self.region_x is self.region_y is self.region_width is self.region_height is None


@dataclass(frozen=True, slots=True)
class Rendering:
    """How to render.

    Attributes
    ----------
    quality
        JPEG quality, 1 to 100.
    annotation
        Of `ANNOTATIONS`.
    icc_profile
        Of `ICC_PROFILES`; `None` where the client leaves it to us.
    warnings
        What the client shall hear in Warning header fields.
    """

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = DEFAULT_QUALITY
    annotation: frozenset[str] = frozenset()
    icc_profile: str | None = None
    warnings: tuple[str, ...] = ()


def parse_rendering(params: Mapping[str, str]) -> Rendering:
    """Read the rendering parameters of a query; parameters of other kinds are left alone.

    Raises
    ------
    Problem
        400 if one is malformed.
    """
    annotation, unsupported = parse_annotation(params["annotation"]) if "annotation" in params else ((), ())
    if "iccprofile" in params and params["iccprofile"] not in ICC_PROFILES:
        raise bad_request(f"iccprofile is one of {', '.join(ICC_PROFILES)}")
    warnings: tuple[str, ...] = ()
    if unsupported:
        warnings = (f"The following annotation values are not supported: {', '.join(unsupported)}",)
    return Rendering(
        window=_window(params["window"]) if "window" in params else None,
        viewport=parse_viewport(params["viewport"]) if "viewport" in params else None,
        quality=parse_quality("quality", params["quality"]) if "quality" in params else DEFAULT_QUALITY,
        annotation=frozenset(annotation),
        icc_profile=params.get("iccprofile"),
        warnings=warnings,
    )


def parse_thumbnail(params: Mapping[str, str]) -> Viewport | None:
    """The viewport of a thumbnail, the only rendering parameter that it has (Table 8.3.5-2).

    Raises
    ------
    Problem
        400 if it is malformed or names a region.
    """
    if "viewport" not in params:
        return None
    viewport = parse_viewport(params["viewport"])
    if not viewport.whole:
        raise bad_request("the viewport of a thumbnail is width,height; it takes no region")
    return viewport


def parse_annotation(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keywords that are supported, and those that are not.

    Raises
    ------
    Problem
        400 where a value is no keyword.
    """
    values = [value.strip() for value in text.split(",")]
    if not all(_KEYWORD.fullmatch(value) for value in values):
        raise bad_request("annotation is patient, technique, or both separated by a comma")
    return (
        tuple(value for value in ANNOTATIONS if value in values),
        tuple(dict.fromkeys(value for value in values if value not in ANNOTATIONS)),
    )


def parse_quality(name: str, text: str) -> int:
    """A quality, 1 to 100.

    Raises
    ------
    Problem
        400 if it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise bad_request(f"{name} is an integer from 1 to 100")
    return int(text)


def parse_decimal(name: str, text: str) -> float:
    """A finite decimal number.

    Raises
    ------
    Problem
        400 if it is none.
    """
    value = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise bad_request(f"{name} has a value that is no number")
    return value


def checked_window(center: float, width: float, function: str = "LINEAR") -> Window:
    """A window whose width its function allows.

    Raises
    ------
    Problem
        400
    """
    if width < 1 if function == "LINEAR" else width <= 0:
        raise bad_request("the window width is at least 1 (linear) or over 0 (linear-exact, sigmoid)")
    return Window(center, width, function)


def _window(text: str) -> Window:
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) != 3:
        raise bad_request("window is center,width,function, such as 40,400,linear; all three are required")
    function = FUNCTIONS.get(pieces[2])
    if function is None:
        raise bad_request(f"the window function is one of {', '.join(FUNCTIONS)}")
    return checked_window(parse_decimal("window", pieces[0]), parse_decimal("window", pieces[1]), function)


def parse_viewport(text: str) -> Viewport:
    """A viewport; values of the region that are left out, at the end too, are `None`.

    Raises
    ------
    Problem
        400 if it is malformed.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    if not 2 <= len(pieces) <= 6:
        raise bad_request("viewport is width,height or width,height,x,y,region-width,region-height")
    size = []
    for piece in pieces[:2]:
        value = parse_decimal("viewport", piece)
        if not 1 <= value <= MAX_VIEWPORT or value != int(value):
            raise bad_request(f"the viewport's width and height are integers from 1 to {MAX_VIEWPORT}")
        size.append(int(value))
    region = [parse_decimal("viewport", piece) if piece else None for piece in pieces[2:]]
    if any(value == 0 for value in region[2:]):
        raise bad_request("the viewport's region has no size; leave it empty for the whole image")
    return Viewport(*size, *region)
