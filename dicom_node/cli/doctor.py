"""`dicom-node doctor`: look whether everything is here that the node needs."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import dicom_node
from dicom_node.cli.options import ConfigOption, settings_from
from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("dicom_node", "dicomweb", "inference", "anonymizer", "viewer")


def doctor(config: ConfigOption = None) -> None:
    """Check packages, configuration, models, viewer and programs; exit code 1 where one must be mended."""
    from dicom_node.app.exposure import exposures

    failed = False
    for good, required, text in (
        *_packages(),
        *_configuration(config),
        *_dimse(config),
        *_models(),
        *_viewer(),
        *_programs(),
    ):
        failed |= required and not good
        typer.echo(f"{'ok      ' if good else 'MISSING ' if required else 'optional'}  {text}")
    for text in exposures(settings_from(config).dimse, datetime.now(UTC)):
        typer.echo(f"warning   DICOM: {text}")
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


def _dimse(config: Path | None) -> Iterator[tuple[bool, bool, str]]:
    from dicom_node.app.admission import check_dimse

    settings = settings_from(config)
    try:
        check_dimse(settings)
    except ConfigurationError as exc:
        yield False, True, f"DICOM: {exc}"
    else:
        yield True, True, f"DICOM, {len(settings.dimse.peers)} peers: `dicom-node echo` calls them"


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
