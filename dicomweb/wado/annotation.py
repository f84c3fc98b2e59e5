"""Text written onto a rendered image, legible on any ground.

What it says comes from the data set, which is pseudonymous: no original identity can appear.

References
----------
PS3.18 §8.3.5.1.1 (annotation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

from dicomweb.wado.grayscale import first_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image
    from pydicom.dataset import Dataset

#: Smallest letters that can be read, and smallest image that text is written onto, in pixels.
_MIN_SIZE, _MIN_IMAGE = 10, 48
_LONGEST = 64


def annotate(image: Image.Image, ds: Dataset, kinds: frozenset[str], index: int, count: int) -> Image.Image:
    """A copy with the text; `index` is the frame's, from 0, of `count`.

    The patient stands in the upper left corner, the technique in the lower left one.
    """
    if not kinds or min(image.size) < _MIN_IMAGE:
        return image
    image = image.copy()
    draw = ImageDraw.Draw(image)
    size = max(_MIN_SIZE, min(image.size) // 32)
    font = ImageFont.load_default(size)
    step, margin = round(size * 1.25), max(2, size // 2)
    room = max(1, (image.height - 2 * margin) // step)
    upper = list(patient_lines(ds)) if "patient" in kinds else []
    lower = list(technique_lines(ds, index, count)) if "technique" in kinds else []
    upper = upper[:room]
    lower = lower[: max(0, room - len(upper))]
    white, black = (255, 0) if image.mode == "L" else ((255, 255, 255), (0, 0, 0))
    stroke = max(1, size // 10)
    places = [margin + step * number for number in range(len(upper))]
    places += [image.height - margin - step * (len(lower) - number) for number in range(len(lower))]
    for y, text in zip(places, upper + lower, strict=True):
        draw.text((margin, y), text, fill=white, font=font, stroke_width=stroke, stroke_fill=black)
    return image


def patient_lines(ds: Dataset) -> Iterator[str]:
    """Pseudonym, identifier, birth date and sex, as far as the data set has them."""
    yield from _lines(ds, ("PatientName", "PatientID"))
    yield from _joined(ds, ("PatientBirthDate", "PatientSex", "PatientAge"))


def technique_lines(ds: Dataset, index: int, count: int) -> Iterator[str]:
    """What was done: study, series, image, and the settings of the modality."""
    yield from _joined(ds, ("StudyDate", "Modality"))
    yield from _lines(ds, ("StudyDescription", "SeriesDescription"))
    place = [
        f"{label} {_text(ds, keyword)}"
        for label, keyword in (("Series", "SeriesNumber"), ("Image", "InstanceNumber"))
        if _text(ds, keyword)
    ]
    if count > 1:
        place.append(f"Frame {index + 1}/{count}")
    if place:
        yield "  ".join(place)
    settings = []
    for keyword, label, unit in (
        ("SliceLocation", "at", "mm"),
        ("SliceThickness", "thick", "mm"),
        ("KVP", "", "kV"),
        ("RepetitionTime", "TR", "ms"),
        ("EchoTime", "TE", "ms"),
    ):
        value = first_number(ds, keyword)
        if value is not None:
            settings.append(f"{label} {value:.4g} {unit}".strip())
    if settings:
        yield "  ".join(settings)


def _lines(ds: Dataset, keywords: tuple[str, ...]) -> Iterator[str]:
    yield from filter(None, (_text(ds, keyword) for keyword in keywords))


def _joined(ds: Dataset, keywords: tuple[str, ...]) -> Iterator[str]:
    line = "  ".join(filter(None, (_text(ds, keyword) for keyword in keywords)))
    if line:
        yield line


def _text(ds: Dataset, keyword: str) -> str:
    text = str(ds.get(keyword, "") or "")
    return "".join(character for character in text if character.isprintable())[:_LONGEST]
