"""The model packages that are installed: ours, those of entry points, and those in extra folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from dicom_node.domain.errors import InvalidModelPackage, NotFound
from inference.manifest import FILE_NAME, read_manifest
from inference.packages.files import check_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from inference.contract.package import ModelManifest

log = structlog.get_logger(__name__)

ENTRY_POINT_GROUP = "dicom_node.models"


@dataclass(frozen=True, slots=True)
class ModelRegistry:
    """Valid packages by name, and why the others are not.

    Attributes
    ----------
    invalid
        Name (of the folder or entry point) to reason.
    """

    models: Mapping[str, ModelManifest] = field(default_factory=dict)
    invalid: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, extra_dirs: Sequence[Path] = ()) -> ModelRegistry:
        """Read every package; a broken one is listed as invalid and harms no other.

        Parameters
        ----------
        extra_dirs
            Folders that hold one folder per package, or are a package themselves.
        """
        models: dict[str, ModelManifest] = {}
        invalid: dict[str, str] = {}
        for source, folder in _folders(extra_dirs):
            try:
                manifest = _read(folder, models)
                models[manifest.name] = manifest
            except InvalidModelPackage as exc:
                invalid[_free_name(source, invalid)] = str(exc)
                log.warning("model.invalid", model=source, reason=str(exc))
        return cls(models, invalid)

    def get(self, name: str) -> ModelManifest:
        """The package of this name.

        Raises
        ------
        NotFound
            If there is none, or it is invalid; the message says which, and why.
        """
        if name in self.models:
            return self.models[name]
        if name in self.invalid:
            raise NotFound(f"model package {name} is invalid: {self.invalid[name]}")
        known = ", ".join(sorted(self.models)) or "none"
        raise NotFound(f"no model package is called {name} (installed: {known})")

    def check(self, name: str) -> tuple[str, ...]:
        """What is wrong with the installed files of a package; empty where all is well.

        Raises
        ------
        NotFound
        """
        return tuple(finding.text for finding in check_files(self.get(name)))


def _read(folder: Path | None, taken: Mapping[str, ModelManifest]) -> ModelManifest:
    if folder is None:
        raise InvalidModelPackage(f"no installed package holds a {FILE_NAME}")
    manifest = read_manifest(folder)
    if manifest.name in taken:
        raise InvalidModelPackage(f"the name {manifest.name} is taken by another package")
    return manifest


def _folders(extra_dirs: Sequence[Path]) -> Iterator[tuple[str, Path | None]]:
    yield from _in_folder(Path(__file__).with_name("models"))
    for point in entry_points(group=ENTRY_POINT_GROUP):
        yield point.name, _package_folder(point.module)
    for folder in extra_dirs:
        if (folder / FILE_NAME).is_file():
            yield folder.name, folder
        elif folder.is_dir():
            yield from _in_folder(folder)
        else:
            # Its own name stands in `invalid`, so that a typing error in the settings is seen.
            yield folder.name, folder


def _in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as exc:
        log.warning("model.folder_unreadable", reason=exc.strerror)
        return
    for path in paths:
        if path.is_dir() and not path.name.startswith(("_", ".")):
            yield path.name, path


def _package_folder(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _free_name(name: str, taken: Mapping[str, str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
