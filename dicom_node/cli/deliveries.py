"""`dicom-node deliveries`: how results go to their destinations, and the decision about dead letters."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url
from dicom_node.domain.delivery import DeliveryStatus

app = typer.Typer(help="Results on their way to destinations.", no_args_is_help=True)

StudyOption = Annotated[str | None, typer.Option("--study", help="only of this study, by the node's id")]
ToOption = Annotated[str | None, typer.Option("--to", help="only to this destination")]
AllOption = Annotated[bool, typer.Option("--all", help="all dead letters")]


@app.command("list")
def list_deliveries(
    study: StudyOption = None,
    to: ToOption = None,
    status: Annotated[
        DeliveryStatus | None, typer.Option(help="only these; `failed` are the dead letters")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List deliveries, newest first, with the reason of those that wait or were given up."""
    client = NodeClient(base_url(url, config))
    found = client.deliveries(
        study=study, destination=to, status=status.value if status else None, limit=limit
    )
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("study", "version", "to", "status", "objects", "attempts", "queued", "reason")
    for each in found:
        table.add_row(
            each["study_id"],
            str(each["version"]),
            each["destination"],
            each["status"],
            f"{each['sent']}/{each['objects']}",
            str(each["attempts"]),
            each["created_at"],
            each["reason"] or "",
        )
    Console().print(table)


@app.command("destinations")
def destinations(as_json: JsonOption = False, url: UrlOption = None, config: ConfigOption = None) -> None:
    """List destinations with their circuit breakers."""
    found = NodeClient(base_url(url, config)).destinations()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("name", "breaker", "failures", "next probe", "deliveries", "reason")
    for each in found:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(each["deliveries"].items()))
        probe = each["probe_at"] or ""
        table.add_row(
            each["name"], each["breaker"], str(each["failures"]), probe, counts, each["reason"] or ""
        )
    Console().print(table)


@app.command("retry")
def retry(
    study: StudyOption = None,
    to: ToOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Queue dead letters again; what was taken is not sent twice, and inputs are not needed."""
    _decide("retry", "queued again", study, to, every, as_json=as_json, at=base_url(url, config))


@app.command("discard")
def discard(
    study: StudyOption = None,
    to: ToOption = None,
    every: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """End dead letters for good: they need not arrive."""
    at = base_url(url, config)
    if not yes:
        typer.confirm("Discard these deliveries for good?", abort=True)
    _decide("discard", "discarded", study, to, every, as_json=as_json, at=at)


@app.command("send")
def send(
    study: Annotated[str, typer.Argument(help="the node's id of the study")],
    to: Annotated[str, typer.Option("--to", help="name of the destination")],
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Deliver a study's results to a destination that has not got them, a new one say."""
    made = NodeClient(base_url(url, config)).send_results(study, to)
    typer.echo(json.dumps(made, indent=2) if as_json else f"{made['objects']} objects are queued for {to}")


def _decide(
    action: str, done: str, study: str | None, to: str | None, every: bool, *, as_json: bool, at: str
) -> None:
    if study is None and to is None and not every:
        raise typer.BadParameter("say which: --study, --to or --all")
    which: dict[str, Any] = {"study_id": study, "destination": to, "all": every}
    count = NodeClient(at).decide_deliveries(action, which)
    typer.echo(json.dumps({"count": count}) if as_json else f"{count} {done}")
