"""`dicom-node anonymize IN OUT`: the anonymizer on files, without a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from
from dicom_node.domain.errors import ConfigurationError


def anonymize(
    source: Annotated[Path, typer.Argument(metavar="IN", exists=True, help="a DICOM file or a folder")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="folder for the de-identified files")],
    profile: Annotated[str, typer.Option(help="de-identification profile")] = "basic",
    option: Annotated[
        list[str] | None,
        typer.Option(help="an option of the profile, again for each; default: those of the configuration"),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """De-identify files after PS3.15 Annex E, with the node's own key: the same UIDs as through the node."""
    if profile != "basic":
        raise typer.BadParameter("the profile is `basic`", param_hint="--profile")
    from anonymizer.files import anonymize_folder
    from dicom_node.app.anonymizer import build_anonymizer

    try:
        engine = build_anonymizer(settings_from(config), options=tuple(option) if option else None)
    except ConfigurationError as exc:
        raise typer.BadParameter(str(exc), param_hint="--option") from exc
    report = anonymize_folder(source, target, engine)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        typer.echo(report.as_text())
    if report.kept_back:
        raise typer.Exit(1)
