"""`dicom-node echo`: whether the node reaches a DICOM peer, and what is wrong where it does not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from
from dicom_node.cli.send import PEER
from dicom_node.domain.errors import ConfigurationError, NodeError

if TYPE_CHECKING:
    from dicom_node.dimse.association import Address
    from dicom_node.settings import Settings


def echo(
    peers: Annotated[
        list[str] | None, typer.Argument(help="names of peers, or AE@host:port; all where none is given")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """C-ECHO peers, with the TLS and the user that are configured for them, and say what they would take."""
    settings = settings_from(config)
    asked = peers or [peer.name for peer in settings.dimse.peers]
    if not asked:
        raise ConfigurationError("no peer is configured: name one in dimse.peers, or give AE@host:port")
    answers = [_ask(settings, name) for name in asked]
    if as_json:
        typer.echo(json.dumps(answers, indent=2))
    else:
        for answer in answers:
            typer.echo(_line(answer))
    if not all(answer["answers"] for answer in answers):
        raise typer.Exit(1)


def _ask(settings: Settings, name: str) -> dict[str, Any]:
    from dicom_node.dimse.probe import probe

    try:
        address = _address(settings, name)
        return {"peer": name, "answers": True, "address": address.name, **asdict(probe(address))}
    except NodeError as exc:
        return {"peer": name, "answers": False, "reason": str(exc)}


def _address(settings: Settings, name: str) -> Address:
    from dicom_node.app.peers import build_address, find_peer
    from dicom_node.dimse.association import Address

    match = PEER.fullmatch(name)
    if match is None:
        return build_address(settings, find_peer(settings, name))
    return Address(
        match["host"].strip("[]"),
        int(match["port"]),
        match["ae"],
        settings.dimse.ae_title,
        timeout_s=settings.dimse.timeout_s,
    )


def _line(answer: dict[str, Any]) -> str:
    if not answer["answers"]:
        return f"failed  {answer['peer']}: {answer['reason']}"
    how = answer["security"] or "no TLS"
    takes = ", ".join(answer["services"]) or "nothing but C-ECHO"
    return (
        f"ok      {answer['peer']}: {answer['address']} answers in {answer['elapsed_ms']:.0f} ms"
        f" ({how}); takes {takes}"
    )
