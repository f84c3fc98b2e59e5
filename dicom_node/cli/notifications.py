"""`dicom-node notifications`: what a running node told others, and another try for what was given up."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url
from dicom_node.domain.notification import NotificationState

app = typer.Typer(help="Messages to listeners: webhooks, availability notifications.", no_args_is_help=True)


@app.command("list")
def list_notifications(
    state: Annotated[NotificationState | None, typer.Option(help="only in this state")] = None,
    listener: Annotated[str | None, typer.Option(help="only to this listener")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List messages, newest first, and why the last try failed."""
    client = NodeClient(base_url(url, config))
    found = client.notifications(state=state.value if state else None, listener=listener, limit=limit)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("id", "listener", "event", "study", "state", "tries", "reason")
    for message in found:
        table.add_row(
            message["id"],
            message["listener"],
            message["event"],
            message["study_id"],
            message["state"],
            str(message["attempts"]),
            message["reason"] or "",
        )
    Console().print(table)


@app.command("retry")
def retry(
    message_id: Annotated[str | None, typer.Argument(help="the id of one message")] = None,
    listener: Annotated[str | None, typer.Option(help="all dead ones to this listener")] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Queue dead messages again: one, those to a listener, or all."""
    queued = NodeClient(base_url(url, config)).retry_notifications(message_id, listener)
    typer.echo(f"queued {queued} again")
