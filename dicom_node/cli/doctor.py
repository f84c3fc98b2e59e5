"""`dicom-node doctor`: look whether everything is here that the node needs."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import dicom_node
from dicom_node.cli.options import ConfigOption, settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("dicom_node", "dicomweb", "inference", "anonymizer", "viewer")


def doctor(config: ConfigOption = None) -> None:
    """Check packages, configuration, models, viewer and programs; exit code 1 where one must be mended."""
    failed = False
    for good, required, text in (*_packages(), *_configuration(config), *_models(), *_viewer(), *_programs()):
        failed |= required and not good
        typer.echo(f"{'ok      ' if good else 'MISSING ' if required else 'optional'}  {text}")
    if failed:
        raise typer.Exit(1)


def _packages() -> Iterator[tuple[bool, bool, str]]:
    # The names are generic: another distribution may have put its own package of the same name in front.
    root = Path(dicom_node.__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        ours = origin is not None and origin.parent.parent == root
        yield ours, True, f"package {name}" + ("" if ours else ": not ours; uninstall what ships it")


def _configuration(config: Path | None) -> Iterator[tuple[bool, bool, str]]:
    settings = settings_from(config)
    yield True, True, f"configuration, data in {settings.node.data_dir}"


def _models() -> Iterator[tuple[bool, bool, str]]:
    from inference.registry import ModelRegistry

    registry = ModelRegistry.load()
    for name in sorted(registry.models):
        problems = registry.check(name)
        yield not problems, True, f"model {name}" + (f": {'; '.join(problems)}" if problems else "")
    for name, reason in registry.invalid.items():
        yield False, False, f"model {name}: {reason}"


def _viewer() -> Iterator[tuple[bool, bool, str]]:
    from viewer.ohif.install import find_ohif

    found = find_ohif()
    yield found is not None, False, "viewer" + ("" if found else ": run `make viewer` (needs npm)")


def _programs() -> Iterator[tuple[bool, bool, str]]:
    found = shutil.which("dciodvfy") is not None
    note = "" if found else ": the output gate runs its own checks only; Debian package dicom3tools"
    yield found, False, "dciodvfy" + note
