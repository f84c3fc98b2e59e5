"""One DICOM image that is no part of a study: pixels, spacing, and what says nothing of a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import UID

from dicom_node.domain.errors import InvalidInstance
from dicom_node.domain.single_image import ImageFacts
from inference.one_image.limits import check_size
from inference.preprocess.frames import Frame, frames_of, read_instance, value_of
from inference.preprocess.pixels import read_grey
from inference.preprocess.spacing import SpacingMeaning, pixel_size
from inference.preprocess.stored import is_colour, read_rgb
from inference.preprocess.volume import VolumeRefused
from inference.routing.body_part import BodyPartTable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

#: Attributes whose values are codes or numbers of the machine; what people type is not among them.
_CODES = {
    "Modality": r"[A-Z]{2,3}",
    "PhotometricInterpretation": r"[A-Z0-9_ ]{3,16}",
    "ViewPosition": r"[A-Z]{1,4}",
    "ImageLaterality": r"[LRBU]",
    "Laterality": r"[LR]",
    "PatientPosition": r"[HF]F[PSDL]{1,2}R?",
}
_NUMBERS = ("BitsStored", "SliceThickness", "MagneticFieldStrength", "RepetitionTime", "EchoTime", "KVP")


@dataclass(frozen=True, slots=True)
class DicomImage:
    """A decoded DICOM image.

    Attributes
    ----------
    pixels
        As `inference.one_image.decode.OneImage.pixels`.
    window
        Lowest and highest value that the header asks to be shown, in modality units, or `None`.
    """

    facts: ImageFacts
    pixels: NDArray[np.float32]
    window: tuple[float, float] | None
    spacing_unit: str


def read_dicom(data: bytes, max_pixels: int) -> DicomImage:
    """Decode the only frame of an instance.

    Raises
    ------
    InvalidInstance
        If there is not one frame that can be decoded, or one with too many pixels.
    """
    try:
        ds = read_instance(data)
        frames = frames_of(ds)
        rows, columns = value_of(ds, "Rows"), value_of(ds, "Columns")
        if not isinstance(rows, int) or not isinstance(columns, int) or "PixelData" not in ds:
            raise InvalidInstance("the DICOM file holds no image; send one with pixels")
        if len(frames) != 1:
            raise InvalidInstance(
                f"the DICOM file holds {len(frames)} frames; send one image, or the whole series as a study"
            )
        check_size(rows, columns, max_pixels)
        colour = is_colour(ds)
        pixels = read_rgb(frames[0]).astype(np.float32) if colour else read_grey(frames[0])
    except VolumeRefused as exc:
        raise InvalidInstance(f"the DICOM file cannot be used: {exc.text}") from exc
    size = pixel_size(frames[0])
    known = size.meaning is not SpacingMeaning.UNKNOWN
    facts = ImageFacts(
        "DICOM",
        pixels.shape[0],
        pixels.shape[1],
        colour,
        (size.rows_mm, size.columns_mm) if known else None,
        _attributes(ds),
    )
    unit = "mm at detector" if size.meaning is SpacingMeaning.DETECTOR else "mm"
    return DicomImage(facts, pixels, _window(frames[0]), unit)


def _attributes(ds: Dataset) -> dict[str, str]:
    found: dict[str, str] = {}
    for keyword, pattern in _CODES.items():
        value = value_of(ds, keyword)
        if isinstance(value, str) and re.fullmatch(pattern, value.strip().upper()):
            found[keyword] = value.strip().upper()
    for keyword in _NUMBERS:
        numbers = Frame(ds).numbers(keyword)
        if numbers is not None and numbers.size == 1:
            found[keyword] = f"{numbers[0]:g}"
    sop_class = UID(str(value_of(ds, "SOPClassUID") or ""))
    if sop_class.name != sop_class:
        found["SOPClassUID"] = sop_class.name
    # Free text in practice: only a part of the body that the node knows is told, by the term of the standard.
    part = BodyPartTable().named(str(value_of(ds, "BodyPartExamined") or ""))
    if part is not None:
        found["BodyPartExamined"] = part.term
    return found


def _window(frame: Frame) -> tuple[float, float] | None:
    if value_of(frame.ds, "PhotometricInterpretation") == "MONOCHROME1":
        # The pixels are turned then, and a window of the header is not.
        return None
    centre, width = frame.numbers("WindowCenter"), frame.numbers("WindowWidth")
    if centre is None or width is None or width[0] < 1:
        return None
    return float(centre[0] - width[0] / 2), float(centre[0] + width[0] / 2)
