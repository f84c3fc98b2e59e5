"""`dicom-node quarantine`: what a running node kept back, and the decision about it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url
from dicom_node.domain.quarantine import DeleteReason, QuarantineState, ReleaseReason

app = typer.Typer(help="Instances that de-identification kept back.", no_args_is_help=True)

ItemId = Annotated[str, typer.Argument(help="the id of the instance in quarantine")]
YesOption = Annotated[bool, typer.Option("--yes", help="do not ask")]


@app.command("list")
def list_held(
    study: Annotated[str | None, typer.Option(help="only of this study, by the node's id")] = None,
    state: Annotated[QuarantineState | None, typer.Option(help="only in this state")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List instances in quarantine, newest first, decided ones too."""
    client = NodeClient(base_url(url, config))
    found = client.quarantine(study=study, state=state.value if state else None, limit=limit)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("id", "study", "state", "modality", "rule", "kept back")
    for item in found:
        table.add_row(
            item["id"], item["study_id"], item["state"], item["modality"], item["rule"], item["created_at"]
        )
    Console().print(table)


@app.command("show")
def show(
    item_id: ItemId, as_json: JsonOption = False, url: UrlOption = None, config: ConfigOption = None
) -> None:
    """Show what is known about one; to see its picture open /quarantine in a browser."""
    _tell(NodeClient(base_url(url, config)).quarantined(item_id), as_json=as_json)


@app.command("release")
def release(
    item_id: ItemId,
    reason: Annotated[ReleaseReason, typer.Option(help="why you vouch for it")] = ReleaseReason.OTHER,
    yes: YesOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Vouch for one that you have looked at: it goes into its study's next version."""
    client = NodeClient(base_url(url, config))
    item = client.quarantined(item_id)
    if not yes:
        typer.confirm(f"Do you answer for the rule {item['rule']}, having looked at all of it?", abort=True)
    _tell(client.decide(item_id, "release", reason.value), as_json=as_json)


@app.command("delete")
def delete(
    item_id: ItemId,
    reason: Annotated[DeleteReason, typer.Option(help="why it goes")] = DeleteReason.OTHER,
    yes: YesOption = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Destroy key and bytes of one for good, in the spool too."""
    if not yes:
        typer.confirm(f"Delete {item_id} for good?", abort=True)
    client = NodeClient(base_url(url, config))
    _tell(client.decide(item_id, "delete", reason.value), as_json=as_json)


def _tell(item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(item, indent=2))
        return
    console = Console()
    console.print(
        f"[bold]{item['id']}[/bold]  {item['state']}  study {item['study_id']} version {item['version']}"
    )
    console.print(f"SOP Instance UID (pseudonymous) {item['sop_instance_uid']}")
    console.print(f"rule      {item['rule']}", "(a person can answer for it)" if item["releasable"] else "")
    console.print(f"reason    {item['reason']}")
    if item["decided_at"]:
        console.print(f"decided   {item['decided_at']} by {item['decided_by']}: {item['decision']}")
