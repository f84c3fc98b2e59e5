"""`dicom-node send`: files to a DICOM peer or a DICOMweb server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from dicom_node.domain.errors import NodeError


def send(
    path: Annotated[Path, typer.Argument(exists=True, help="a DICOM file, or a folder of them")],
    to: Annotated[str, typer.Option("--to", help="AE@host:port, or the base URL of a DICOMweb server")],
    calling: Annotated[str, typer.Option(help="our AE title")] = "DICOMNODE-SEND",
) -> None:
    """Send DICOM files by C-STORE or STOW-RS."""
    paths = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    with Progress(transient=True) as progress:
        task = progress.add_task("sending", total=len(paths))

        def advance(count: int = 1) -> None:
            progress.advance(task, count)

        failures = send_to(paths, to, calling, advance)
    for name, reason in failures.items():
        typer.echo(f"{name}: {reason}", err=True)
    typer.echo(f"{len(paths) - len(failures)} of {len(paths)} sent")
    if failures:
        raise typer.Exit(1)
