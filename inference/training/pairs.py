"""Reads images with their masks: PNG pictures or NIfTI volumes of the same names in two folders."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from dicom_node.domain.errors import ConfigurationError
from inference.training.examples import SUFFIXES, read_grey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

IMAGES, MASKS, PATIENTS = "images", "masks", "patients.csv"
_VOLUMES = (".nii", ".nii.gz")


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its mask.

    Attributes
    ----------
    image
        float32, `(rows, columns)` or `(slices, rows, columns)`.
    mask
        uint8 of the same shape; 0 is background.
    affine
        `(slice, row, column, 1)` to LPS in mm, of volumes.
    patient
        By `patients.csv`, or as a name in BIDS says; `None` where neither does.

    References
    ----------
    BIDS 1.10, file name entities: `sub-<label>` comes first
    """

    name: str
    image: NDArray[np.float32]
    mask: NDArray[np.uint8]
    affine: NDArray[np.float64] | None
    patient: str | None = None


def read_pairs(data: Path) -> list[Pair]:
    """Read `images/` and `masks/` of a folder, and its `patients.csv` (`name,patient`) where there is one.

    Raises
    ------
    ConfigurationError
        If a mask is missing or does not fit, or there is nothing; the message names the file.
    """
    if not (data / IMAGES).is_dir() or not (data / MASKS).is_dir():
        raise ConfigurationError(
            f"{data.name} needs two folders, {IMAGES} and {MASKS}, with files of the same names"
        )
    patients = _patients(data / PATIENTS)
    masks = {stem(path): path for path in sorted((data / MASKS).iterdir())}
    pairs = []
    for path in sorted((data / IMAGES).iterdir()):
        if not path.name.lower().endswith((*SUFFIXES, *_VOLUMES)):
            continue
        if stem(path) not in masks:
            raise ConfigurationError(f"{path.name} has no mask")
        pairs.append(replace(_pair(path, masks[stem(path)]), patient=_patient(path, patients)))
    if len({pair.image.ndim for pair in pairs}) != 1:
        raise ConfigurationError("pictures or volumes are needed, not both and not neither")
    return pairs


def pairs_sha256(pairs: list[Pair]) -> str:
    """Hash over names and contents, the same on every machine."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(pair.name.encode() + pair.image.tobytes() + pair.mask.tobytes())
    return digest.hexdigest()


def stem(path: Path) -> str:
    """The name without its endings."""
    return path.name.partition(".")[0]


def _patients(table: Path) -> dict[str, str]:
    if not table.is_file():
        return {}
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{table.name} cannot be read as a CSV in UTF-8") from exc
    if any(not row.get("name") or not row.get("patient") for row in rows):
        raise ConfigurationError(f"{table.name} needs the columns name and patient, and both in every line")
    return {row["name"].partition(".")[0]: row["patient"] for row in rows}


def _patient(image: Path, patients: Mapping[str, str]) -> str | None:
    if patients:
        if stem(image) not in patients:
            raise ConfigurationError(f"{PATIENTS} does not say whose {image.name} is")
        return patients[stem(image)]
    subject = re.match(r"sub-[0-9A-Za-z]+", image.name)
    return subject[0] if subject else None


def _pair(image_path: Path, mask_path: Path) -> Pair:
    affine = None
    if image_path.name.lower().endswith(_VOLUMES):
        image, affine = _read_volume(image_path)
        raw, _ = _read_volume(mask_path)
    else:
        image = read_grey(image_path)
        raw = _read_mask(mask_path)
    if raw.shape != image.shape:
        raise ConfigurationError(f"{mask_path.name} has another size than its image")
    if raw.min() < 0 or raw.max() > 255 or not np.array_equal(raw, np.rint(raw)):
        raise ConfigurationError(f"{mask_path.name} holds other values than whole numbers from 0 to 255")
    return Pair(stem(image_path), image, raw.astype(np.uint8), affine)


def _read_mask(path: Path) -> NDArray[np.float32]:
    raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    mask = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE) if raw.size else None
    if mask is None:
        raise ConfigurationError(f"{path.name} is no image")
    # Masks are often drawn in black and white.
    values = mask // 255 if set(np.unique(mask).tolist()) <= {0, 255} else mask
    return np.asarray(values, dtype=np.float32)


def _read_volume(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Voxels (slices, rows, columns) and their affine to LPS; axes as the file has them, reversed."""
    try:
        image = nibabel.load(path)
        voxels = np.asarray(image.dataobj, dtype=np.float32)
    except (ImageFileError, OSError, ValueError) as exc:
        raise ConfigurationError(f"{path.name} is no NIfTI file") from exc
    if voxels.ndim != 3:
        raise ConfigurationError(f"{path.name} has {voxels.ndim} dimensions, not three")
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(image.affine, dtype=np.float64)
    return np.ascontiguousarray(voxels.transpose(2, 1, 0)), to_lps[:, [2, 1, 0, 3]]
