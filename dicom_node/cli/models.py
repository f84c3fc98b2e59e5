"""`dicom-node models`: the model packages."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicom_node.cli.models_evaluate import evaluate
from dicom_node.cli.models_train import train
from dicom_node.cli.options import ConfigOption, JsonOption, settings_from

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from inference.packages.check import PackageReport
    from inference.registry import ModelRegistry

app = typer.Typer(help="The model packages.", no_args_is_help=True)
app.command("train")(train)
app.command("evaluate")(evaluate)

NameArgument = Annotated[str, typer.Argument(help="the package's name")]


def registry_of(settings: Settings, extra: Path | None = None) -> ModelRegistry:
    """The packages that the settings name and ours, and that of one more folder."""
    from inference.registry import ModelRegistry

    dirs = settings.inference.model_dirs
    return ModelRegistry.load([*dirs, extra] if extra and extra.resolve() not in _held(dirs) else dirs)


@app.command("list")
def list_models(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the packages with their task and what runs them; those that are invalid with their reason."""
    settings = settings_from(config)
    registry = registry_of(settings)
    trusted = _trusted(settings)
    rows = {name: _row(registry, name, trusted) for name in sorted(registry.models)}
    if as_json:
        typer.echo(json.dumps({"models": rows, "invalid": dict(registry.invalid)}, indent=2))
        return
    for name, row in rows.items():
        state = "" if row["trusted"] is not False else "  not trusted: it is not run"
        typer.echo(f"{name} {row['version']}  {row['task']}  {row['adapter']}  {row['title']}{state}")
    for name, reason in sorted(registry.invalid.items()):
        typer.echo(f"{name}  INVALID: {reason}")


@app.command("show")
def show(name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a package's model card: what it is for, its limits, licence and weights."""
    from inference.cli_api import describe_model

    settings = settings_from(config)
    registry = registry_of(settings)
    described = describe_model(registry, name)
    described["trusted"] = _row(registry, name, _trusted(settings))["trusted"]
    described["files"] = list(registry.check(name)) or "as the package says"
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    for key, value in described.items():
        shown = value if isinstance(value, str | int | float) else json.dumps(value)
        typer.echo(f"{key:<14} {shown}")


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="the package's name, or its folder")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Verify a package's files, licence and codes, run it on its own samples, measure time and memory."""
    from inference.manifest import read_manifest
    from inference.packages.check import check_model
    from inference.packages.trust import TrustStore

    settings = settings_from(config)
    folder = _folder_of(Path(name))
    if folder is not None:
        _make_importable(folder)
        name = read_manifest(folder).name
    report = check_model(
        registry_of(settings, folder),
        name,
        device=settings.inference.device,
        timeout_s=settings.inference.timeout_s,
        trusted=TrustStore(settings.node.data_dir).digests,
    )
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _print_report(report)
    if report.errors:
        raise typer.Exit(1)


@app.command("run")
def run(
    name: NameArgument,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of DICOM files")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run a model on the best series of a folder, gates included; nothing is stored or sent."""
    from inference.cli_api import run_on_folder
    from inference.packages.trust import TrustStore

    settings = settings_from(config)
    prediction = run_on_folder(
        registry_of(settings),
        name,
        folder,
        device=settings.inference.device,
        timeout_s=settings.inference.timeout_s,
        min_confidence=settings.inference.min_confidence,
        trusted=TrustStore(settings.node.data_dir).digests,
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


def _folder_of(path: Path) -> Path | None:
    """The package that a path holds: itself, or the only one in it, as a Python project has it."""
    if (path / "model.yaml").is_file():
        return path
    inner = [found.parent for found in path.glob("*/model.yaml")] if path.is_dir() else []
    return inner[0] if len(inner) == 1 else None


def _make_importable(folder: Path) -> None:
    """Let a package's own code be found here and in the model process, as if it were installed."""
    outer = str(folder.resolve().parent)
    sys.path.append(outer)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), outer)))


def _held(dirs: tuple[Path, ...]) -> frozenset[Path]:
    """Folders of packages that are loaded anyway, so that none is read twice."""
    inner = (one for folder in dirs if folder.is_dir() for one in folder.iterdir())
    ours = (Path(__file__).parents[2] / "inference" / "models").glob("*")
    return frozenset(path.resolve() for path in (*dirs, *inner, *ours))


def _trusted(settings: Settings) -> frozenset[str]:
    from inference.packages.trust import TrustStore

    return TrustStore(settings.node.data_dir).digests()


def _row(registry: ModelRegistry, name: str, trusted: frozenset[str]) -> dict[str, Any]:
    from inference.packages.trust import needs_trust

    model = registry.models.get(name) or registry.get(name)
    needed = needs_trust(model) if model.adapter.kind == "monai-bundle" else ()
    return {
        "version": model.version,
        "title": model.title,
        "task": model.task.value,
        "adapter": model.adapter.kind,
        "folder": str(model.folder),
        "trusted": all(sha256 in trusted for _, sha256 in needed) if needed else None,
    }


def _print_report(report: PackageReport) -> None:
    typer.echo(f"{'sample':<40} {'cold s':>7} {'warm s':>7} {'peak MiB':>9}  outcome")
    for trial in report.trials:
        cold, warm = (f"{s:.2f}" if s is not None else "-" for s in (trial.cold_s, trial.warm_s))
        typer.echo(f"{trial.sample[-40:]:<40} {cold:>7} {warm:>7} {trial.peak_mb or '-':>9}  {trial.outcome}")
    for finding in report.findings:
        typer.echo(f"{'error' if finding.error else 'warning'}, {finding.part}: {finding.text}", err=True)
    if not report.errors:
        typer.echo(f"{report.name}: files and sample are as the package says")
