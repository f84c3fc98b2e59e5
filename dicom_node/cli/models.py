"""`dicom-node models`: the model packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from

if TYPE_CHECKING:
    from inference.registry import ModelRegistry

app = typer.Typer(help="The model packages.", no_args_is_help=True)


def _registry(config: Path | None) -> ModelRegistry:
    from inference.registry import ModelRegistry

    return ModelRegistry.load(settings_from(config).inference.model_dirs)


@app.command("list")
def list_models(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the packages; those that are invalid with their reason."""
    registry = _registry(config)
    if as_json:
        rows = {name: {"version": m.version, "title": m.title} for name, m in registry.models.items()}
        typer.echo(json.dumps({"models": rows, "invalid": dict(registry.invalid)}, indent=2))
        return
    for name, model in sorted(registry.models.items()):
        typer.echo(f"{name} {model.version}  {model.title}")
    for name, reason in sorted(registry.invalid.items()):
        typer.echo(f"{name}  INVALID: {reason}")
