"""`dicom-node send`: files to a DICOM peer or a DICOMweb server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from dicom_node.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

PEER = re.compile(r"(?P<ae>[^@]{1,16})@(?P<host>\[[0-9a-fA-F:]+\]|[^:@]+):(?P<port>\d{1,5})")


def send(
    path: Annotated[Path, typer.Argument(exists=True, help="a DICOM file, or a folder of them")],
    to: Annotated[str, typer.Option("--to", help="AE@host:port, or the base URL of a DICOMweb server")],
    calling: Annotated[str, typer.Option(help="our AE title")] = "DICOMNODE-SEND",
) -> None:
    """Send DICOM files by C-STORE or STOW-RS."""
    paths = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    with Progress(transient=True) as progress:
        task = progress.add_task("sending", total=len(paths))

        failures = send_to(paths, to, calling, lambda done: progress.update(task, completed=done))
    for name, reason in failures.items():
        typer.echo(f"{name}: {reason}", err=True)
    typer.echo(f"{len(paths) - len(failures)} of {len(paths)} sent")
    if failures:
        raise typer.Exit(1)


def send_to(paths: list[Path], to: str, calling: str, progress: Callable[[int], None]) -> dict[str, str]:
    """Send files and return the reasons of those that were not taken, by SOP Instance UID or path.

    Parameters
    ----------
    progress
        Called with the count of files done.

    Raises
    ------
    ConfigurationError
        If `to` is neither `AE@host:port` nor a URL.
    DeliveryFailed
        If nobody answers there.
    """
    if to.startswith(("http://", "https://")):
        from dicomweb.client.files import send_files as stow_files

        return {str(path): reason for path, reason in stow_files(paths, to, progress).items()}
    match = PEER.fullmatch(to)
    if match is None:
        raise ConfigurationError(f"--to {to}: write AE@host:port (DICOMNODE@127.0.0.1:11112) or a URL")
    from dicom_node.dimse.association import Address
    from dicom_node.dimse.scu import send_files

    address = Address(match["host"].strip("[]"), int(match["port"]), match["ae"], calling)
    return {str(path): reason for path, reason in send_files(paths, address, progress).items()}
