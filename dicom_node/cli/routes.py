"""`dicom-node routes`: the routing rules, and why a study went where it went."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url, settings_from

app = typer.Typer(help="The routing rules.", no_args_is_help=True)


@app.command("list")
def list_routes(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the rules in the order in which they are tried."""
    routes = settings_from(config).routes
    if as_json:
        typer.echo(json.dumps([route.model_dump() for route in routes], indent=2))
        return
    for route in routes:
        conditions = [
            f"{name} {' or '.join(values)}"
            for name, values in (
                ("modality", route.when.modality),
                ("body part", route.when.body_part),
                ("SOP Class", route.when.sop_class),
            )
            if values
        ]
        conditions.append(f"at least {route.when.min_instances} instances")
        typer.echo(f"{route.name}: {', '.join(conditions)} -> {', '.join(route.models)}")


@app.command("explain")
def explain(
    study_id: Annotated[str, typer.Argument(help="the node's id of the study")],
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Print every recorded decision about a study, and its reason."""
    routing = NodeClient(base_url(url, config)).routing(study_id)
    if as_json:
        typer.echo(json.dumps(routing, indent=2))
        return
    for reason in routing["reasons"]:
        mark = "yes" if reason["passed"] else "no "
        typer.echo(f"{mark}  {reason['rule']:<20} {reason['subject']}: {reason['text']}")
    for assignment in routing["assignments"]:
        typer.echo(f"->   {assignment['model']} {assignment['model_version']} by {assignment['route']}")
