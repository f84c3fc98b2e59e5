"""Finds files of installed distributions and model packages, and proves that they are the right ones."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from inference.contract import ModelManifest, Sample, WeightFile


def find_weight(manifest: ModelManifest, weight: WeightFile) -> Path:
    """Where a file of weights lies.

    Raises
    ------
    InvalidModelPackage
        If it is not installed; the message says what to install.
    """
    if weight.distribution is None:
        path = manifest.folder / weight.path
        if not path.is_file():
            raise InvalidModelPackage(f"weights file {weight.path} is missing in the model's folder")
        return path
    return _find_in_distribution(weight.distribution, weight.path)


def find_sample(sample: Sample) -> Path:
    """Where a package's sample lies.

    Raises
    ------
    InvalidModelPackage
        If it is not installed.
    """
    return _find_in_distribution(sample.distribution, sample.path)


def check_sha256(path: Path, expected: str) -> None:
    """Prove that a file is the one that the manifest means.

    Raises
    ------
    InvalidModelPackage
        If it cannot be read or its SHA-256 is another.
    """
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise InvalidModelPackage(f"{path.name} cannot be read: {exc.strerror}") from exc
    if found != expected:
        raise InvalidModelPackage(
            f"{path.name} has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…;"
            " install the version that the manifest names"
        )


def _find_in_distribution(distribution: str, name: str) -> Path:
    # The record of the installed wheel, so that its code is never imported.
    try:
        recorded = files(distribution)
    except PackageNotFoundError:
        recorded = None
    for entry in recorded or ():
        if entry.as_posix() == name:
            path = Path(str(entry.locate()))
            if path.is_file():
                return path
    raise InvalidModelPackage(f"{name} of {distribution} is not installed; run `make setup`")
