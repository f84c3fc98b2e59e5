"""`dicom-node db`: the index's schema."""

from __future__ import annotations

import typer

from dicom_node.cli.options import ConfigOption, settings_from

app = typer.Typer(help="The index database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(config: ConfigOption = None) -> None:
    """Bring the schema to this version's."""
    from dicom_node.index.database import open_database
    from dicom_node.index.database import upgrade as upgrade_schema

    settings = settings_from(config)
    settings.node.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade_schema(open_database(settings.database_url))
    typer.echo("the schema is up to date")


@app.command("check")
def check(config: ConfigOption = None) -> None:
    """Say whether the database answers and its schema is this version's."""
    from dicom_node.index.database import check as check_schema
    from dicom_node.index.database import open_database

    check_schema(open_database(settings_from(config).database_url))
    typer.echo("the database answers and its schema is up to date")
