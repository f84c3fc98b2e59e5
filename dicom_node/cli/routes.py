"""`dicom-node routes`: the routing rules, and why a study went where it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url, settings_from

if TYPE_CHECKING:
    from dicom_node.settings_routing import RouteSettings, RouteWhen

app = typer.Typer(help="The routing rules.", no_args_is_help=True)


@app.command("list")
def list_routes(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the rules in the order in which they are tried."""
    routes = settings_from(config).routes
    if as_json:
        typer.echo(json.dumps([route.model_dump() for route in routes], indent=2))
        return
    for route in routes:
        typer.echo(_line(route))


@app.command("explain")
def explain(
    study: Annotated[
        str, typer.Argument(metavar="STUDY|FOLDER", help="the node's id of a study, or a folder of files")
    ],
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Print every series, every condition with what was measured, and the choice.

    Of a study: as the running node recorded it. Of a folder: what the rules of the configuration would decide
    for each study in it, without a node; nothing is stored, sent or de-identified.
    """
    from inference.routing.dry_run import as_text, decision_of, dry_run
    from inference.routing.explain import explain as explained

    if not Path(study).is_dir():
        routing = NodeClient(base_url(url, config)).routing(study)
        typer.echo(json.dumps(routing, indent=2) if as_json else explained(decision_of(routing)))
        return
    from dicom_node.app.routes import build_routes
    from inference.registry import ModelRegistry

    settings = settings_from(config)
    registry = ModelRegistry.load(settings.inference.model_dirs)
    decisions = dry_run(registry, build_routes(settings, registry), Path(study))
    if as_json:
        typer.echo(json.dumps([decision.as_json() for decision in decisions], indent=2))
    else:
        typer.echo(as_text(decisions))


def _line(route: RouteSettings) -> str:
    parts = [*_conditions(route.when)]
    parts += [f"not ({', '.join(_conditions(one))})" for one in route.unless]
    marks = [
        "on all series" if route.series == "all" else "",
        "stop" if route.stop else "",
        f"sample {route.sample:g}" if route.sample < 1 else "",
        "stat" if route.priority == "stat" else "",
    ]
    told = "".join(f", {mark}" for mark in marks if mark)
    return f"{route.name}: {', '.join(parts) or 'every series'} -> {', '.join(route.models)}{told}"


def _conditions(when: RouteWhen) -> list[str]:
    given: dict[str, Any] = {
        name: value for name, value in when.model_dump().items() if value not in ((), None, {})
    }
    tests = given.pop("attributes", {})
    told = [f"{name.replace('_', ' ')} {_alternatives(value)}" for name, value in given.items()]
    return told + [f"{name} {json.dumps(wanted)}" for name, wanted in tests.items()]


def _alternatives(value: Any) -> str:
    return " or ".join(value) if isinstance(value, tuple | list) else str(value).lower()
