"""`dicom-node models train`: trains a network offline and writes a model package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from dicom_node.domain.errors import ConfigurationError, NodeError

_TASKS = ("classification", "segmentation")
_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def train(
    data: Annotated[
        Path,
        typer.Argument(help="folder with a folder for each class, CSV table, or folder of images and masks"),
    ],
    out: Annotated[Path, typer.Option(help="folder of the package; a training that was broken off goes on")],
    task: Annotated[str, typer.Option(help="classification or segmentation")] = "classification",
    network: Annotated[str | None, typer.Option(help="architecture; see docs/training.md")] = None,
    plan: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="YAML with every setting of the training")
    ] = None,
    name: Annotated[str | None, typer.Option(help="name of the package; as its folder")] = None,
    title: Annotated[str | None, typer.Option(help="what it does, in a few words")] = None,
    licence: Annotated[str, typer.Option(help="licence of the weights")] = "Not stated",
    modality: Annotated[list[str] | None, typer.Option(help="of the images that it is for")] = None,
    classes: Annotated[str, typer.Option(help="classes in their order, with commas")] = "",
    abnormal: Annotated[str, typer.Option(help="classes that are a finding, with commas")] = "",
    segments: Annotated[str, typer.Option(help="names of the masks' values from 1 on, with commas")] = "",
    pretrained: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="weights to start from (.safetensors, .pth)"),
    ] = None,
    size: Annotated[int | None, typer.Option(min=16, help="side of the network's pictures, pixels")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    batch: Annotated[int | None, typer.Option(min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0)] = None,
    frozen_stages: Annotated[
        int | None, typer.Option(min=0, help="leading stages that keep their weights")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    folds: Annotated[
        int,
        typer.Option(min=0, help="cross-validate with so many folds instead: figures, no package"),
    ] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda")] = None,
    threads: Annotated[int, typer.Option(min=0, help="of the processor; 0 leaves it to torch")] = 0,
) -> None:
    """Train or fine-tune a network on a folder of images and write a package with card. Offline only."""
    if task not in _TASKS:
        raise typer.BadParameter(f"one of {', '.join(_TASKS)}", param_hint="--task")
    from inference.training.command import train_package
    from inference.training.package import PackageText
    from inference.training.plan_file import read_plan_file

    package = name or re.sub(r"[^a-z0-9]+", "-", out.name.lower()).strip("-") or "model"
    try:
        raw: dict[str, Any] = read_plan_file(plan) if plan else {}
        if network or "network" not in raw:
            raw["network"] = network or ("efficientnet-lite0" if task == "classification" else "unet")
        raw.setdefault("parameters", {})
        loop = dict(raw.get("loop", {}))
        chosen = {
            "epochs": epochs,
            "learning_rate": learning_rate,
            "frozen_stages": frozen_stages,
            "seed": seed,
            "device": device,
        }
        loop |= {key: value for key, value in chosen.items() if value is not None}
        raw["loop"] = loop
        named = {"batch": batch, "pretrained": pretrained, "abnormal": _names(abnormal)}
        raw |= {key: value for key, value in named.items() if value}
        if task == "segmentation":
            _for_segmentation(raw, data, _names(segments), size)
        elif "preprocessing" not in raw or size is not None:
            raw["preprocessing"] = _of_pictures(raw, size)
        figures = train_package(
            data,
            out,
            PackageText(
                name=package,
                title=title or f"Trained {task}",
                licence=licence,
                modalities=tuple(modality or ("OT",)),
            ),
            raw,
            classes=_names(classes),
            folds=folds,
            threads=threads,
            report=typer.echo,
        )
    except NodeError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc
    typer.echo(json.dumps(figures))
    if folds:
        typer.echo("cross-validated; call it again without --folds for the package, whose card takes this up")
        return
    typer.echo(
        f"{package}: written; `dicom-node models check` tries it once its folder is among the model_dirs"
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _of_pictures(raw: dict[str, Any], size: int | None) -> dict[str, Any]:
    channels = int(dict(raw["parameters"]).get("in_channels", 1 if raw["network"] == "small-cnn" else 3))
    given = dict(raw.get("preprocessing", {}))
    side = size or 192
    normal = _IMAGENET if channels == 3 and "mean" not in given else {}
    return {"channels": channels, **given, "size": [side, side], **normal}


def _for_segmentation(raw: dict[str, Any], data: Path, segments: tuple[str, ...], size: int | None) -> None:
    if segments:
        raw["segments"] = segments
    if not raw.get("segments"):
        raise ConfigurationError("name what the masks' values are: --segments lesion,oedema")
    raw.pop("abnormal", None)
    # Networks of this kind begin from random weights mostly: all of them learn alike, and fast.
    raw["loop"] = {"learning_rate": 0.005, "head_factor": 1.0, "weight_decay": 0.0, **raw["loop"]}
    images = data / "images"
    is_flat = images.is_dir() and not any(".nii" in path.name for path in images.iterdir())
    parameters = raw["parameters"]
    if raw["network"] in ("unet", "segresnet"):
        parameters.setdefault("spatial_dims", 2 if is_flat else 3)
    parameters.setdefault("in_channels", 3 if raw["network"] == "segformer" else 1)
    if "preprocessing" not in raw:
        shape = {"size": [size or 192, size or 192]} if is_flat else {"divisor": 16, "patch": [96, 96, 96]}
        raw["preprocessing"] = {"channels": parameters["in_channels"], **shape}
