"""`dicom-node audit`: check and export the audit log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dicom_node.cli.options import ConfigOption, settings_from

app = typer.Typer(help="The audit log.", no_args_is_help=True)


@app.command("verify")
def verify(config: ConfigOption = None) -> None:
    """Check that no line was changed, dropped or inserted."""
    from dicom_node.app.audit import open_audit

    problems = open_audit(settings_from(config)).verify()
    for problem in problems:
        typer.echo(f"line {problem.line}: {problem.text}")
    if problems:
        raise typer.Exit(1)
    typer.echo("the audit log is whole")


@app.command("export")
def export(
    to: Annotated[Path | None, typer.Argument(help="file; without it, to standard output")] = None,
    config: ConfigOption = None,
) -> None:
    """Write all events as JSON lines."""
    from dicom_node.app.audit import open_audit

    lines = [json.dumps(entry, sort_keys=True) for entry in open_audit(settings_from(config)).entries()]
    text = "".join(f"{line}\n" for line in lines)
    if to is None:
        typer.echo(text, nl=False)
        return
    to.write_text(text, encoding="utf-8")
    typer.echo(f"{len(lines)} events written to {to}")
