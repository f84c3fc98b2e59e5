"""`dicom-node studies`: what the node holds."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dicom_node.cli import study_ledger
from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url


def studies(
    study_id: Annotated[str | None, typer.Argument(help="the node's id of one study")] = None,
    state: Annotated[str | None, typer.Option(help="only studies in this state")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    ledger: Annotated[bool, typer.Option("--ledger", help="with ID: every instance and result")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="with --ledger: as comma separated values")] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List studies of a running node, or show one with its runs, results and deliveries."""
    if (ledger and study_id is None) or (as_csv and not ledger):
        raise typer.BadParameter("--ledger needs the id of a study, --csv needs --ledger")
    client = NodeClient(base_url(url, config))
    if ledger:
        _show_ledger(client.ledger(str(study_id)), as_json=as_json, as_csv=as_csv)
        return
    found = [client.study(study_id)] if study_id else client.studies(state=state, limit=limit)
    if as_json:
        typer.echo(json.dumps(found[0] if study_id else found, indent=2))
        return
    console = Console()
    if study_id:
        _show(console, found[0])
        study_ledger.print_summary(console, client.ledger_summary(study_id))
        return
    table = Table("study", "state", "modality", "body part", "instances", "results", "reason")
    for study in found:
        table.add_row(
            study["id"],
            study["state"] + (f" ({study['stage']})" if study["stage"] else ""),
            "/".join(study["modalities"]),
            study["body_part"] or "",
            str(study["received"]["instances"]),
            str(len(study["results"])),
            study["reason"] or "",
        )
    console.print(table)


def _show_ledger(ledger: dict[str, Any], *, as_json: bool, as_csv: bool) -> None:
    if as_csv:
        study_ledger.write_csv(ledger)
    elif as_json:
        typer.echo(json.dumps(ledger, indent=2))
    else:
        console = Console()
        study_ledger.print_summary(console, ledger["summary"])
        study_ledger.print_entries(console, ledger)


def _show(console: Console, study: dict[str, Any]) -> None:
    console.print(f"[bold]{study['id']}[/bold]  {study['state']}  version {study['version']}")
    console.print(f"Study Instance UID (pseudonymous) {study['study_instance_uid']}")
    if study.get("completed_by"):
        console.print(f"complete  by {study['completed_by']}")
    for run in study["runs"]:
        outcome = run["label"] or run["reason"] or ""
        console.print(f"run       {run['model']} {run['version']}: {run['status']} {outcome}")
    kinds: dict[str, int] = {}
    for result in study["results"]:
        kinds[result["kind"]] = kinds.get(result["kind"], 0) + 1
    console.print("results   " + (", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "none"))
    for delivery in study["deliveries"]:
        attempts = f"after {delivery['attempts']} attempts"
        console.print(f"delivery  {delivery['destination']}: {delivery['status']} {attempts}")
    console.print(f"purged    {study['purged_at'] or 'not yet'}")
    if study["reason"]:
        console.print(f"reason    {study['reason']}")
