"""`dicom-node models new`, `trust`, `install`: packages from their authors to the node. All offline."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dicom_node.cli.models import NameArgument, registry_of
from dicom_node.cli.options import ConfigOption, settings_from


def new(
    folder: Annotated[Path, typer.Argument(help="a new folder")],
    task: Annotated[
        str | None, typer.Option(help="classification, segmentation, detection, measurement")
    ] = None,
    kind: Annotated[str, typer.Option(help="python, network, torchscript, onnx")] = "torchscript",
    from_bundle: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="a MONAI bundle, as downloaded")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="your own file; without it, an untrained one"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="of the package; default: as the folder")] = None,
    labels: Annotated[
        str, typer.Option(help="segments, classes or categories in their order, with commas")
    ] = "",
    modality: Annotated[str, typer.Option(help="CT, MR, DX, ...")] = "MR",
) -> None:
    """Write a model package to start from: it runs, and says what to change."""
    from dicom_node.domain.errors import ConfigurationError
    from inference.packages.from_bundle import package_from_bundle
    from inference.packages.scaffold import KINDS, TASKS, new_package

    if task is not None and task not in TASKS:
        raise ConfigurationError(f"--task is one of {', '.join(TASKS)}")
    if from_bundle is not None:
        written = package_from_bundle(from_bundle, folder, task=task, name=name)
    else:
        if kind not in KINDS:
            raise ConfigurationError(f"--kind is one of {', '.join(KINDS)}; a bundle: --from-bundle DIR")
        written = new_package(
            folder,
            task=task or "segmentation",
            kind=kind,
            name=name,
            labels=[label.strip() for label in labels.split(",") if label.strip()],
            modality=modality,
            weights=weights,
        )
    typer.echo(f"written: {written / 'model.yaml'}")
    typer.echo(f"next: edit it, then `dicom-node models check {folder}`")


def trust(
    name: NameArgument,
    revoke: Annotated[bool, typer.Option("--revoke", help="trust it no longer")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    config: ConfigOption = None,
) -> None:
    """Let a package run code that came with it: a MONAI bundle, or a pickle. Recorded, with its hash."""
    from dicom_node.app.audit import open_audit
    from inference.packages.trust import TrustStore, look_at

    settings = settings_from(config)
    store = TrustStore(settings.node.data_dir)
    audit = open_audit(settings)
    who = _operator()
    if revoke:
        count = store.remove(name)
        audit.record("model.trust_revoked", model=name, actor=who, files=count)
        typer.echo(f"{name}: {count} entries removed")
        return
    manifest = registry_of(settings).get(name)
    entries = look_at(manifest, at=datetime.now(UTC).isoformat(timespec="seconds"), by=who)
    if not entries:
        typer.echo(f"{name}: nothing in it needs trust")
        return
    for entry in entries:
        typer.echo(f"{entry.path}  SHA-256 {entry.sha256}")
    typer.echo("It runs code of its author in the model process, with the rights of the node's user.")
    if not yes:
        typer.confirm("Do you trust it?", abort=True)
    for entry in entries:
        audit.record(
            "model.trusted",
            model=name,
            version=manifest.version,
            file=entry.path,
            sha256=entry.sha256,
            actor=who,
        )
    store.add(entries)
    typer.echo(f"{name}: trusted as it is now; a change of its files ends that")


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return str(os.getuid())


def install(
    name: Annotated[str | None, typer.Argument(help="of a public model; without it they are listed")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", exists=True, help="a file or folder that you downloaded yourself")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="you read the licence and accept it; do not ask")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Fetch a public model into the first of inference.model_dirs, when you say so."""
    from dicom_node.domain.errors import ConfigurationError
    from inference.packages.install import install_public
    from inference.packages.public_models import public_model, public_models

    if name is None:
        for model in public_models().values():
            typer.echo(f"{model.name}  {model.title}  [{model.tried}]")
        return
    model = public_model(name)
    dirs = settings_from(config).inference.model_dirs
    if not dirs:
        raise ConfigurationError("inference.model_dirs names no folder to install into; set it first")
    rows = {
        "model": model.title,
        "project": model.project,
        "paper": model.paper,
        "licence": model.licence,
        "size": model.size,
        "tried here": model.tried,
        "needs": model.needs,
        "from": str(source) if source else " ".join(file.url for file in model.files) or "nothing is fetched",
        "to": str(dirs[0] / model.name),
    }
    for key, value in rows.items():
        typer.echo(f"{key:<11} {value}")
    if not accept_licence:
        typer.confirm("Fetch it, and do you accept its licence?", abort=True)
    folder = install_public(model, dirs[0], source=source, progress=typer.echo)
    typer.echo(f"written: {folder}")
    typer.echo(model.how or f"next: install what it needs, then `dicom-node models check {model.name}`")
