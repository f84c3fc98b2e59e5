"""Softcopy presentation states: how their author wanted images to be shown.

Grayscale and colour states are applied: modality and VOI transformations, presentation LUT, shutters,
rotation and flip, displayed area, text and graphics. Masks, overlays and bitmap shutters are not.

References
----------
PS3.4 Annex N (Softcopy Presentation State Storage SOP Classes), PS3.18 §8.3.5.1, PS3.3 §C.10.4 (displayed
area), PS3.3 §C.10.6 (spatial transformation), PS3.3 §C.11.8 (Softcopy VOI LUT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage

from dicomweb.wado.graphic_annotations import draw_annotations
from dicomweb.wado.grayscale import GrayscaleSteps, first_number, steps_of
from dicomweb.wado.shutters import apply_shutter
from dicomweb.wado.viewports import pixel_aspect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom.dataset import Dataset

    from dicomweb.wado.rendering_parameters import Viewport

SUPPORTED = frozenset({GrayscaleSoftcopyPresentationStateStorage, ColorSoftcopyPresentationStateStorage})
_MODALITY_KEYWORDS = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept")
_ROTATIONS = {
    90: Image.Transpose.ROTATE_270,  # theirs go clockwise
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
#: Pixels of a side; what a state asks to magnify beyond is not made larger.
_MAX_SIDE = 8192


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that a state applies to; no frames stand for all of them."""

    series_instance_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()


def is_presentation_state(sop_class_uid: str) -> bool:
    """Whether instances of a SOP class can be applied here."""
    return sop_class_uid in SUPPORTED


class PresentationState:
    """A presentation state, read; applied to the frames of the images that it refers to."""

    def __init__(self, ds: Dataset) -> None:
        self._ds = ds

    @property
    def references(self) -> tuple[Reference, ...]:
        """The images that it refers to, in its order."""
        return tuple(
            Reference(
                str(series.get("SeriesInstanceUID", "")),
                str(image.get("ReferencedSOPInstanceUID", "")),
                _frames_of(image),
            )
            for series in self._ds.get("ReferencedSeriesSequence") or ()
            for image in series.get("ReferencedImageSequence") or ()
        )

    def steps(self, image: Dataset, index: int) -> GrayscaleSteps:
        """The grayscale transformations of a frame, counted from 0: the state's wherever it has them."""
        own = steps_of(image, index)
        modality = self._ds if any(keyword in self._ds for keyword in _MODALITY_KEYWORDS) else own.modality
        voi = next(self._items("SoftcopyVOILUTSequence", image, index), None)
        tables = self._ds.get("PresentationLUTSequence")
        inverse = own.inverse
        if "PresentationLUTShape" in self._ds:
            inverse = self._ds.PresentationLUTShape == "INVERSE"
        elif tables:
            inverse = False
        return GrayscaleSteps(
            modality, own.voi if voi is None else voi, inverse, tables[0] if tables else None
        )

    def present(
        self, picture: Image.Image, image: Dataset, index: int, viewport: Viewport | None
    ) -> Image.Image:
        """The picture of a frame as the state wants it, as large as the viewport."""
        picture = apply_shutter(picture, self._ds)
        area = next(self._items("DisplayedAreaSelectionSequence", image, index), None)
        box = _displayed_box(area, picture.size)
        aspect = _displayed_aspect(area, pixel_aspect(image, index))
        rotation = int(first_number(self._ds, "ImageRotation") or 0) % 360
        flip = self._ds.get("ImageHorizontalFlip") == "Y"
        space = _space(area, box, aspect, rotation, viewport)
        upright = (space[1], space[0]) if rotation in {90, 270} else space
        width, height = box[2] - box[0], box[3] - box[1]
        scale = min(upright[0] / width, upright[1] / (height * aspect))
        size = (max(1, round(width * scale)), max(1, round(height * aspect * scale)))
        picture = picture.crop(box)
        if size != picture.size:
            picture = picture.resize(size, Image.Resampling.BILINEAR)
        if rotation in _ROTATIONS:
            picture = picture.transpose(_ROTATIONS[rotation])
        if flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

        def place(x: float, y: float) -> tuple[float, float]:
            """Where a point of the image, in pixels from its corner, lies in the picture."""
            x, y = (x - box[0]) * size[0] / width, (y - box[1]) * size[1] / height
            if rotation == 90:
                x, y = size[1] - y, x
            elif rotation == 180:
                x, y = size[0] - x, size[1] - y
            elif rotation == 270:
                x, y = y, size[0] - x
            return (picture.width - x, y) if flip else (x, y)

        items = list(self._items("GraphicAnnotationSequence", image, index))
        return draw_annotations(picture, items, place) if items else picture

    def _items(self, keyword: str, image: Dataset, index: int) -> Iterator[Dataset]:
        """The items of a sequence that apply to a frame."""
        uid = str(image.get("SOPInstanceUID", ""))
        for item in self._ds.get(keyword) or ():
            named: Sequence[Dataset] = item.get("ReferencedImageSequence") or ()
            if not named or any(
                str(reference.get("ReferencedSOPInstanceUID", "")) == uid
                and (not (frames := _frames_of(reference)) or index + 1 in frames)
                for reference in named
            ):
                yield item


def _frames_of(reference: Dataset) -> tuple[int, ...]:
    value = reference.get("ReferencedFrameNumber")
    if value is None or value == "":
        return ()
    return tuple(int(number) for number in ([value] if isinstance(value, int | str) else value))


def _displayed_box(area: Dataset | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, upper, right and lower edge of the displayed area within the image."""
    whole = (0, 0, *size)
    if area is None:
        return whole
    corners = [
        first_number(area, keyword, position)
        for keyword in ("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner")
        for position in (0, 1)
    ]
    if None in corners:
        return whole
    columns, rows = sorted(corners[0::2], key=float), sorted(corners[1::2], key=float)  # type: ignore[arg-type]
    box = (
        max(0, int(columns[0] or 0) - 1),
        max(0, int(rows[0] or 0) - 1),
        min(size[0], int(columns[1] or 0)),
        min(size[1], int(rows[1] or 0)),
    )
    return box if box[0] < box[2] and box[1] < box[3] else whole


def _displayed_aspect(area: Dataset | None, own: float) -> float:
    for keyword in ("PresentationPixelSpacing", "PresentationPixelAspectRatio"):
        if area is not None and keyword in area:
            vertical, horizontal = (first_number(area, keyword, position) for position in (0, 1))
            if vertical and horizontal and 1 / 16 <= vertical / horizontal <= 16:
                return vertical / horizontal
    return own


def _space(
    area: Dataset | None,
    box: tuple[int, int, int, int],
    aspect: float,
    rotation: int,
    viewport: Viewport | None,
) -> tuple[int, int]:
    """Width and height that the picture may take."""
    if viewport is not None:
        return viewport.width, viewport.height
    factor = 1.0
    if area is not None and area.get("PresentationSizeMode") == "MAGNIFY":
        factor = first_number(area, "PresentationPixelMagnificationRatio") or 1.0
    width, height = (box[2] - box[0]) * factor, (box[3] - box[1]) * aspect * factor
    limit = min(1.0, _MAX_SIDE / max(width, height))
    size = max(1, round(width * limit)), max(1, round(height * limit))
    return (size[1], size[0]) if rotation in {90, 270} else size
