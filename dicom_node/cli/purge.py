"""`dicom-node purge`: purge one study's inputs by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from dicom_node.cli.options import ConfigOption, settings_from


def purge(
    study_id: Annotated[str, typer.Argument(help="the node's id of the study")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete the inputs of a failed or quarantined study and destroy their key; results stay."""
    from dicom_node.app.services import build_services
    from dicom_node.domain.errors import ConfigurationError
    from dicom_node.domain.study import ENDED
    from dicom_node.pipeline.purge import purge as purge_stage

    services = build_services(settings_from(config)).services
    study = services.index.study(study_id)
    if study.state not in ENDED:
        raise ConfigurationError(f"study {study_id} is {study.state.value}; it purges its inputs at its end")
    if not yes:
        typer.confirm(f"Purge the inputs of study {study_id} for good?", abort=True)
    if purge_stage(services, study_id, study.version):
        typer.echo("purged: files deleted, key destroyed, receipt in the audit log")
    else:
        typer.echo("not purged: late instances wait for the next version")
        raise typer.Exit(1)
