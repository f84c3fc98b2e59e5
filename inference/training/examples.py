"""Reads what a network is trained on: folders by class, or a table."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
#: Names that a table's column `split` may hold; empty cells are drawn.
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One image with its class.

    Attributes
    ----------
    label
        Index into `Examples.classes`.
    patient
        Images of one patient stay in one split; `None` where it is not known.
    subset
        Where it comes from; figures are given for each.
    split
        One of `SPLITS` where the table says so.
    """

    path: Path
    label: int
    patient: str | None = None
    subset: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Examples:
    """Images of a training, in the order of their names."""

    classes: tuple[str, ...]
    items: tuple[Example, ...]

    def sha256(self) -> str:
        """Hash over names, classes and contents, the same on every machine."""
        digest = hashlib.sha256()
        for item in self.items:
            content = hashlib.sha256(item.path.read_bytes()).hexdigest()
            digest.update(f"{item.path.name} {self.classes[item.label]} {content}\n".encode())
        return digest.hexdigest()


def read_examples(data: Path, classes: Sequence[str] = ()) -> Examples:
    """Read a folder of folders (one a class) or a CSV table.

    Parameters
    ----------
    data
        A folder, or a CSV with columns `path` (relative to the table) and `label`, and if wanted
        `patient`, `subset` and `split`.
    classes
        Their order; as sorted where it is empty.

    Raises
    ------
    ConfigurationError
        If there is nothing to train on, or the table has a fault; the message names the line.
    """
    if not data.exists():
        raise ConfigurationError(
            f"{data.name} is not there; give a folder with a folder for each class, or a CSV"
        )
    rows = list(_rows_of_table(data) if data.is_file() else _rows_of_folder(data))
    names = tuple(classes) or tuple(sorted({row[1] for row in rows}))
    if len(names) < 2:
        raise ConfigurationError("at least two classes with images are needed to train a classifier")
    unknown = sorted({row[1] for row in rows} - set(names))
    if unknown:
        raise ConfigurationError(f"class {unknown[0]} of the data is not among the named classes")
    items = [Example(path, names.index(label), *rest) for path, label, *rest in rows]
    # Not by folder, so that a training is the same wherever its data lie.
    return Examples(
        names, tuple(sorted(items, key=lambda item: (item.path.name, item.label, str(item.path))))
    )


def read_grey(path: Path) -> NDArray[np.float32]:
    """Decode an image to grey values from 0 to 1, `(rows, columns)`.

    Raises
    ------
    ConfigurationError
        If the file is no image.
    """
    try:
        raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        image = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH) if raw.size else None
    except (OSError, cv2.error) as exc:
        raise ConfigurationError(f"{path.name} cannot be read") from exc
    if image is None:
        raise ConfigurationError(f"{path.name} is no PNG, JPEG, BMP or TIFF image")
    full = np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else np.float32(image.max() or 1)
    grey: NDArray[np.float32] = image.astype(np.float32) / full
    return grey


_Row = tuple[Path, str, str | None, str | None, str | None]


def _rows_of_folder(folder: Path) -> Iterable[_Row]:
    for place in sorted(folder.iterdir()):
        if place.is_dir():
            for path in sorted(place.rglob("*")):
                if path.suffix.lower() in SUFFIXES:
                    yield path, place.name, None, None, None


def _rows_of_table(table: Path) -> Iterable[_Row]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{table.name} cannot be read as a CSV in UTF-8") from exc
    reader = csv.DictReader(text.splitlines())
    if not {"path", "label"} <= set(reader.fieldnames or ()):
        raise ConfigurationError(f"{table.name} needs the columns path and label")
    for row in reader:
        place = f"{table.name}, line {reader.line_num}"
        path = table.parent / (row["path"] or "")
        if not path.is_file() or not row["label"]:
            raise ConfigurationError(f"{place}: no such file, or no label")
        split = row.get("split") or None
        if split is not None and split not in SPLITS:
            raise ConfigurationError(f"{place}: split is one of {', '.join(SPLITS)}, or empty")
        yield path, row["label"], row.get("patient") or None, row.get("subset") or None, split
