"""`dicom-node pull`: studies from an archive into a running node."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, base_url
from dicom_node.cli.study_query import (
    AccessionOption,
    ModalityOption,
    PatientOption,
    SinceOption,
    StudyOption,
    UntilOption,
    study_query,
)
from dicom_node.domain.errors import ConfigurationError
from dicom_node.domain.pull import PULL_ENDED, PullState, StudyQuery

_LOOK_S = 0.5


def pull(
    source: Annotated[str, typer.Option("--from", help="a source of the node, or a DICOMweb base URL")],
    study: StudyOption = None,
    accession: AccessionOption = None,
    patient: PatientOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    modality: ModalityOption = None,
    wait: Annotated[bool, typer.Option(help="wait until all has arrived")] = True,
    user: Annotated[str | None, typer.Option(help="user name there, where --from is a URL")] = None,
    password_file: Annotated[Path | None, typer.Option(help="file of the password there")] = None,
    token_file: Annotated[Path | None, typer.Option(help="file of a bearer token there")] = None,
    node: Annotated[str | None, typer.Option("--node", "--url", help="base URL of the node")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch studies from an archive, by DIMSE or DICOMweb, into a running node; Ctrl-C cancels the fetch."""
    query = study_query(study, accession, patient, since, until, modality)
    at = base_url(node, config)
    if source.startswith(("http://", "https://")):
        outcome = _through_here(source, query, at, user, password_file, token_file)
    else:
        outcome = _by_the_node(source, query, NodeClient(at), wait=wait)
    if as_json:
        typer.echo(json.dumps(outcome, indent=2))
    else:
        typer.echo(f"{outcome['state']}: {outcome['received']} of {outcome['expected']} instances")
        if outcome["reason"]:
            typer.echo(outcome["reason"], err=True)
    if outcome["state"] in {PullState.FAILED, PullState.CANCELLED}:
        raise typer.Exit(1)


def _by_the_node(source: str, query: StudyQuery, client: NodeClient, *, wait: bool) -> dict[str, Any]:
    """Ask the node, which goes on by itself, and show its progress."""
    asked = client.pull(
        source=source,
        study_instance_uid=query.study_instance_uid,
        accession_number=query.accession_number,
        patient_id=query.patient_id,
        since=str(query.since) if query.since else None,
        until=str(query.until) if query.until else None,
        modality=query.modality,
    )
    if not wait:
        return asked
    with Progress(transient=True) as progress:
        task = progress.add_task("fetching", total=None)
        try:
            while True:
                state = client.pull_state(asked["id"])
                progress.update(task, total=state["expected"], completed=state["received"])
                if state["state"] in PULL_ENDED:
                    return state
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            client.cancel_pull(asked["id"])  # the node fetches by itself, and would go on
            raise


def _through_here(
    url: str,
    query: StudyQuery,
    node: str,
    user: str | None,
    password_file: Path | None,
    token_file: Path | None,
) -> dict[str, Any]:
    """Fetch from an archive that the node does not know, and store at the node by STOW-RS."""
    from dicom_node.app.access import build_access
    from dicom_node.settings_access import AccessSettings
    from dicomweb.client.archive import DicomwebArchive
    from dicomweb.client.connection import origin
    from dicomweb.client.relay import relay

    try:
        settings = AccessSettings(user=user, password_file=password_file, token_file=token_file)
    except ValueError as exc:
        raise ConfigurationError("give --user with --password-file, or --token-file") from exc
    archive = DicomwebArchive(origin(url), url, build_access("--from", settings))
    with Progress(transient=True) as progress:
        task = progress.add_task("fetching", total=None)
        done = relay(
            archive,
            query,
            f"{node}/dicom-web",
            lambda received, expected: progress.update(task, completed=received, total=expected),
        )
    state = PullState.DONE if done.complete else PullState.FAILED
    return {
        "state": state.value,
        "expected": done.expected,
        "received": done.received,
        "reason": "; ".join(done.reasons) or None,
    }
