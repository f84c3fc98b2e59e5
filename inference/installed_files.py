"""Finds files of installed distributions and model packages, and proves that they are the right ones."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.domain.errors import InvalidModelPackage

if TYPE_CHECKING:
    from inference.contract.card import Sample, WeightFile
    from inference.contract.package import ModelManifest


def find_weight(manifest: ModelManifest, weight: WeightFile) -> Path:
    """Where a file of weights lies, or the folder of a bundle.

    Raises
    ------
    InvalidModelPackage
        If it is not installed; the message says what to install.
    """
    if weight.distribution is None:
        path = manifest.folder / weight.path
        if not path.exists():
            raise InvalidModelPackage(f"weights file {weight.path} is missing in the model's folder")
        return path
    return _find_in_distribution(weight.distribution, weight.path)


def find_sample(manifest: ModelManifest, sample: Sample) -> Path:
    """Where a sample of a package lies.

    Raises
    ------
    InvalidModelPackage
        If it is not installed.
    """
    if sample.distribution is not None:
        return _find_in_distribution(sample.distribution, sample.path)
    path = manifest.folder / sample.path
    if not path.exists():
        raise InvalidModelPackage(f"sample {sample.path} is missing in the model's folder")
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; of a folder, that of the list `sha256sum` would write of its files.

    That list has a line `<digest>  <path>` for each file, sorted by path (relative, with /).

    Raises
    ------
    InvalidModelPackage
        If something cannot be read, or a folder holds a link to a folder.
    """
    try:
        if not path.is_dir():
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        lines = [f"{sha256_of(one)}  {one.relative_to(path).as_posix()}\n" for one in _files_below(path)]
    except OSError as exc:
        raise InvalidModelPackage(f"{path.name} cannot be read: {exc.strerror}") from exc
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Prove that a file, or a folder with all its files, is the one that the manifest means.

    Raises
    ------
    InvalidModelPackage
        If it cannot be read or its SHA-256 is another.
    """
    found = sha256_of(path)
    if found != expected:
        raise InvalidModelPackage(
            f"{path.name} has SHA-256 {found[:12]}…, the manifest says {expected[:12]}…;"
            " install the version that the manifest names"
        )


def _files_below(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        if any(Path(root, name).is_symlink() for name in folders):
            raise InvalidModelPackage(f"{folder.name} holds a link to a folder; put the folder itself there")
        found += [Path(root, name) for name in names]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


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
