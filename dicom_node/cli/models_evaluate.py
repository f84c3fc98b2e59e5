"""`dicom-node models evaluate`: how good a package is on data with known answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from
from dicom_node.domain.errors import NodeError

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from inference.registry import ModelRegistry
    from inference.runner.engine import ProcessEngine


def evaluate(
    package: Annotated[str, typer.Argument(help="the package's name, or its folder")],
    data: Annotated[
        Path,
        typer.Option(
            exists=True,
            help="folder with a folder for each class, CSV table, images and masks, or DICOM with SEG or SR",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="folder for evaluation.json, .html and .pdf")] = None,
    split: Annotated[str | None, typer.Option(help="only rows of this split of a table")] = None,
    gates: Annotated[bool, typer.Option(help="run it once more as the node does, with its gates")] = False,
    overlap: Annotated[
        float, typer.Option(min=0.01, max=1, help="of a detector's box with the reference, to be a hit")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="of the confidence intervals")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Evaluate a package offline: false negative rate first, intervals, calibration, overlap, subgroups."""
    from inference.evaluation.report import complete, rows_of, write_report
    from inference.registry import ModelRegistry

    settings = settings_from(config)
    folder = Path(package)
    dirs = [*settings.inference.model_dirs, *([folder] if folder.is_dir() else [])]
    registry = ModelRegistry.load(dirs)
    try:
        name = _name(registry, folder) if folder.is_dir() else package
        report = _evaluated(
            settings,
            registry,
            name,
            data,
            split=split,
            gates=gates,
            overlap=overlap,
            seed=seed,
            device=device,
        )
    except NodeError as exc:
        typer.echo(f"Error: {exc}", err=True)
        raise typer.Exit(1) from exc
    report = complete(report, registry.get(name), seed)
    if out is not None:
        for path in write_report(report, out):
            typer.echo(f"written: {path}", err=True)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    for row, value in rows_of(report["figures"]):
        typer.echo(f"{row:<48} {value}")
    for row, value in rows_of(report.get("references", {})):
        typer.echo(f"{'references: ' + row:<48} {value}")
    if "behind_gates" in report:
        told = report["behind_gates"]
        typer.echo(f"{'answered behind the gates':<48} {told['answered']} of {told['of']}")


def _name(registry: ModelRegistry, folder: Path) -> str:
    from inference.manifest import read_manifest

    return registry.get(read_manifest(folder).name).name


def _evaluated(
    settings: Settings,
    registry: ModelRegistry,
    name: str,
    data: Path,
    *,
    split: str | None,
    gates: bool,
    overlap: float,
    seed: int,
    device: str,
) -> dict[str, Any]:
    from dicom_node.domain.finding import Task
    from inference.evaluation.masks import evaluate_masks, is_pairs
    from inference.evaluation.pictures import evaluate_pictures, is_pictures
    from inference.evaluation.reports import evaluate_reports
    from inference.evaluation.segmentations import evaluate_studies, holds_segmentations
    from inference.packages.trust import TrustStore
    from inference.routing.folder import read_studies

    manifest = registry.get(name)
    trusted = TrustStore(settings.node.data_dir).digests()
    if is_pictures(manifest, data):
        return evaluate_pictures(
            manifest,
            data,
            device=device,
            trusted=trusted,
            seed=seed,
            split=split,
            engine=_engine(settings, registry, device) if gates else None,
            progress=_progress,
        )
    if is_pairs(data):
        return evaluate_masks(manifest, data, device=device, trusted=trusted, progress=_progress)
    studies = read_studies(data)
    engine = _engine(settings, registry, device)
    if manifest.task is Task.SEGMENTATION and holds_segmentations(studies):
        return evaluate_studies(registry, manifest, studies, engine, tell=_tell, progress=_progress)
    return evaluate_reports(
        registry, manifest, studies, engine, overlap=overlap, seed=seed, tell=_tell, progress=_progress
    )


def _engine(settings: Settings, registry: ModelRegistry, device: str) -> ProcessEngine:
    from inference.packages.trust import TrustStore
    from inference.runner.engine import ProcessEngine

    return ProcessEngine(
        registry,
        device=device,
        timeout_s=settings.inference.timeout_s,
        min_confidence=settings.inference.min_confidence,
        trusted=TrustStore(settings.node.data_dir).digests,
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty() or done in {1, of} or done % 100 == 0:
        end = "\r" if sys.stderr.isatty() and done < of else "\n"
        print(f"{done} of {of}", end=end, file=sys.stderr, flush=True)
