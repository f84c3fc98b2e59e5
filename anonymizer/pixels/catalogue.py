"""Rectangles where devices of a kind write about the patient: `catalogue.json`, and a file of the user's.

A rule is an object: `name`, `where` (keyword to what its value must contain, case ignored, or a list of such
of which one must), `rows` and `columns` (each a number or a list, may be missing), and `boxes`, each
[x, y, width, height] in pixels; a width or height of 0 reaches to the edge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from anonymizer.part10 import text_value
from anonymizer.pixels.boxes import Box

if TYPE_CHECKING:
    from pathlib import Path

    from anonymizer.codec import Dataset

KEYWORDS: Final = {
    "ImageType": 0x00080008,
    "Modality": 0x00080060,
    "ConversionType": 0x00080064,
    "Manufacturer": 0x00080070,
    "SeriesDescription": 0x0008103E,
    "ManufacturerModelName": 0x00081090,
    "SoftwareVersions": 0x00181020,
    "BurnedInAnnotation": 0x00280301,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, see the module."""

    name: str
    where: tuple[tuple[int, tuple[str, ...]], ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    boxes: tuple[Box, ...]


class Catalogue:
    """The rules that come with the anonymizer, and those of a file.

    Parameters
    ----------
    file
        Further rules.

    Raises
    ------
    ValueError
        If a rule is not of the form that the module describes.
    """

    def __init__(self, file: Path | None = None) -> None:
        own = resources.files("anonymizer.pixels").joinpath("catalogue.json").read_text("utf-8")
        texts = [own] if file is None else [own, file.read_text("utf-8")]
        self._rules = [_rule(entry) for text in texts for entry in json.loads(text)["rules"]]

    def boxes(self, dataset: Dataset, rows: int, columns: int) -> list[Box]:
        """The boxes of every rule that fits an instance, cut to the picture."""
        found = []
        for rule in self._rules:
            if (rule.rows and rows not in rule.rows) or (rule.columns and columns not in rule.columns):
                continue
            if all(
                any(part in text_value(dataset, tag).upper() for part in parts) for tag, parts in rule.where
            ):
                for box in rule.boxes:
                    x1 = columns if box.x1 == box.x0 else min(columns, box.x1)
                    y1 = rows if box.y1 == box.y0 else min(rows, box.y1)
                    if box.x0 < x1 and box.y0 < y1:
                        found.append(Box(box.x0, box.y0, x1, y1))
        return found


def _rule(entry: dict[str, Any]) -> Rule:
    try:
        where = tuple(
            (KEYWORDS[keyword], tuple(part.upper() for part in _several(parts)))
            for keyword, parts in entry["where"].items()
        )
        boxes = tuple(Box(x, y, x + width, y + height) for x, y, width, height in entry["boxes"])
        rows, columns = tuple(_several(entry.get("rows", []))), tuple(_several(entry.get("columns", [])))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("a rule of the device catalogue is not of the form that is described") from error
    numbers = [*rows, *columns, *(side for box in boxes for side in box)]
    if not where or not boxes or not all(isinstance(one, int) and one >= 0 for one in numbers):
        raise ValueError("a rule of the device catalogue lacks conditions or boxes, or has odd numbers")
    return Rule(str(entry["name"]), where, rows, columns, boxes)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
