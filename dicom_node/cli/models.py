"""`dicom-node models`: the model packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="the package's name")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show a package's model card: what it is for, its limits, licence and weights."""
    from inference.cli_api import describe_model

    described = describe_model(_registry(config), name)
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    for key, value in described.items():
        shown = value if isinstance(value, str | int | float) else json.dumps(value)
        typer.echo(f"{key:<14} {shown}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="the package's name")], config: ConfigOption = None
) -> None:
    """Verify a package's weights by their hashes and run it on its own sample."""
    from inference.cli_api import check_model

    inference = settings_from(config).inference
    problems = check_model(_registry(config), name, device=inference.device, timeout_s=inference.timeout_s)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{name}: files and sample are as the package says")


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="the package's name")],
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of DICOM files")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run a model on the best series of a folder, gates included; nothing is stored or sent."""
    from inference.cli_api import run_on_folder

    inference = settings_from(config).inference
    prediction = run_on_folder(
        _registry(config),
        name,
        folder,
        device=inference.device,
        timeout_s=inference.timeout_s,
        min_confidence=inference.min_confidence,
    )
    if as_json:
        facts = {
            "status": prediction.status.value,
            "label": prediction.label,
            "confidence": prediction.confidence,
            "reason": prediction.reason,
            "gates": [[r.rule, r.passed, r.text] for r in prediction.reasons],
        }
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo(f"{prediction.status.value}: {prediction.label or prediction.reason}")
    for reason in prediction.reasons:
        typer.echo(f"{'yes' if reason.passed else 'no '}  {reason.rule}: {reason.text}")
    typer.echo("Research use only. Not for diagnosis.")
