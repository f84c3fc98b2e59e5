"""WADO-URI query parameters: which there are, and how they are read.

References
----------
PS3.18 §9.1.2 (common parameters), §9.4.1.2 (DICOM instances), §9.5.1.2 (rendered instances).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomweb.errors import bad_request
from dicomweb.media_types import DICOM
from dicomweb.routing import checked_uid
from dicomweb.wado.rendering_parameters import (
    DEFAULT_QUALITY,
    MAX_VIEWPORT,
    Rendering,
    Window,
    checked_window,
    parse_annotation,
    parse_decimal,
    parse_quality,
)
from dicomweb.wado.service import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Parameters of images, which mean nothing to a whole instance.
_OF_IMAGES = (
    "frameNumber",
    "imageAnnotation",
    "annotation",
    "imageQuality",
    "rows",
    "columns",
    "region",
    "windowCenter",
    "windowWidth",
    "presentationSeriesUID",
    "presentationUID",
)
_MAX_FRAME = 10**9


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an image; values from 0 (left, upper edge) to 1 (right, lower edge)."""

    left: float
    upper: float
    right: float
    lower: float


@dataclass(frozen=True, slots=True)
class UriRequest:
    """A request, read.

    Attributes
    ----------
    accept
        The media types of `contentType`; `None` where the header field decides.
    frame
        From 1.
    rows, columns
        Most pixels of the picture, where asked for.
    presentation
        Where the presentation state lies that is to be applied.
    """

    target: Target
    accept: str | None
    transfer_syntax: str | None = None
    anonymize: bool = False
    frame: int | None = None
    rows: int | None = None
    columns: int | None = None
    region: Region | None = None
    presentation: Target | None = None
    rendering: Rendering = field(default_factory=Rendering)

    @property
    def of_image(self) -> bool:
        """Whether it says how an image shall be shown."""
        return self != UriRequest(self.target, self.accept, self.transfer_syntax, self.anonymize)


def parse_uri_request(params: Mapping[str, str]) -> UriRequest:
    """Read decoded query parameters; names that the standard does not know are left alone.

    Raises
    ------
    Problem
        400 naming the parameter that is missing or malformed.
    """
    if params.get("requestType") != "WADO":
        raise bad_request("requestType must be WADO")
    study = _uid(params, "studyUID")
    target = Target(study, _uid(params, "seriesUID"), _uid(params, "objectUID"))
    accept = params.get("contentType") or params.get("accept") or None
    if params.get("anonymize", "yes") != "yes":
        raise bad_request("anonymize is yes, or left out")
    request = UriRequest(
        target=target,
        accept=accept,
        transfer_syntax=_transfer_syntax(params),
        anonymize="anonymize" in params,
        frame=_positive(params, "frameNumber", _MAX_FRAME),
        rows=_positive(params, "rows", MAX_VIEWPORT),
        columns=_positive(params, "columns", MAX_VIEWPORT),
        region=_region(params["region"]) if "region" in params else None,
        presentation=_presentation(params, study),
        rendering=_rendering(params),
    )
    if request.presentation is not None:
        for name in ("region", "windowCenter", "windowWidth"):
            if name in params:
                raise bad_request(f"a presentation state decides what {name} would; leave one of them out")
    return request


def refuse_image_parameters(params: Mapping[str, str]) -> None:
    """Parameters of images cannot be given with application/dicom.

    Raises
    ------
    Problem
        400
    """
    for name in _OF_IMAGES:
        if name in params:
            raise bad_request(f"{name} means nothing to contentType={DICOM}; leave it out")


def _uid(params: Mapping[str, str], name: str) -> str:
    if not params.get(name):
        raise bad_request(f"{name} is missing")
    return checked_uid(params[name], name)


def _transfer_syntax(params: Mapping[str, str]) -> str | None:
    text = params.get("transferSyntax")
    return text if text in {None, "*"} else checked_uid(str(text), "transferSyntax")


def _positive(params: Mapping[str, str], name: str, most: int) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise bad_request(f"{name} is an integer from 1 to {most}")
    return int(text)


def _region(text: str) -> Region:
    pieces = text.split(",")
    if len(pieces) != 4:
        raise bad_request("region is xmin,ymin,xmax,ymax, each from 0 to 1")
    left, upper, right, lower = (parse_decimal("region", piece.strip()) for piece in pieces)
    if not (0 <= left < right <= 1 and 0 <= upper < lower <= 1):
        raise bad_request("region is xmin,ymin,xmax,ymax, each from 0 to 1, the first two the lesser ones")
    return Region(left, upper, right, lower)


def _presentation(params: Mapping[str, str], study: str) -> Target | None:
    names = ("presentationSeriesUID", "presentationUID")
    if not any(name in params for name in names):
        return None
    series, instance = (_uid(params, name) for name in names)
    return Target(study, series, instance)


def _rendering(params: Mapping[str, str]) -> Rendering:
    kinds: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    for name in ("imageAnnotation", "annotation"):
        if name in params:
            kinds, unsupported = parse_annotation(params[name])
            if unsupported:
                values = ", ".join(unsupported)
                warnings = (f"The following annotation values are not supported: {values}",)
    quality = DEFAULT_QUALITY
    if "imageQuality" in params:
        quality = parse_quality("imageQuality", params["imageQuality"])
    return Rendering(_window(params), quality=quality, annotation=frozenset(kinds), warnings=warnings)


def _window(params: Mapping[str, str]) -> Window | None:
    names = ("windowCenter", "windowWidth")
    given = [name for name in names if name in params]
    if not given:
        return None
    if len(given) == 1:
        raise bad_request("windowCenter and windowWidth go together")
    center, width = (parse_decimal(name, params[name]) for name in names)
    return checked_window(center, width)
