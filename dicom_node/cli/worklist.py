"""`dicom-node worklist`: work items of a running node; ordering one, for trying it out and for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydicom.datadict import dictionary_VR
from rich.console import Console
from rich.table import Table

from dicom_node.cli.client import NodeClient
from dicom_node.cli.options import ConfigOption, JsonOption, UrlOption, base_url, settings_from
from dicom_node.domain import workitem as ups
from dicom_node.domain.workitem import Model, WorkitemState, attribute, coded, first, items
from dicom_node.domain.workitem_rules import RULES

app = typer.Typer(help="Work items: analyses that were ordered.", no_args_is_help=True)

Uid = Annotated[str, typer.Argument(help="the UID of the work item")]


class Priority(StrEnum):
    """Scheduled Procedure Step Priority."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@app.command("list")
def list_items(
    state: Annotated[WorkitemState | None, typer.Option(help="only in this state")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """List work items, oldest first, without the patients."""
    query = {"ProcedureStepState": state.value if state else None, "limit": limit}
    found = NodeClient(base_url(url, config)).workitems(**query)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("UID", "state", "priority", "label", "worklist", "progress")
    for item in found:
        progress = items(item, ups.PROGRESS_INFORMATION)
        table.add_row(
            *(
                str(first(item, tag) or "")
                for tag in (
                    ups.SOP_INSTANCE_UID,
                    ups.STATE,
                    ups.PRIORITY,
                    ups.STEP_LABEL,
                    ups.WORKLIST_LABEL,
                )
            ),
            _progress_of(progress[0]) if progress else "",
        )
    Console().print(table)


@app.command("show")
def show(uid: Uid, as_json: JsonOption = False, url: UrlOption = None, config: ConfigOption = None) -> None:
    """Show how a work item stands, and where its results are; with --json all of it, the patient too."""
    item = NodeClient(base_url(url, config)).workitem(uid)
    if as_json:
        typer.echo(json.dumps(item, indent=2))
        return
    console = Console(soft_wrap=True)
    console.print(f"[bold]{uid}[/bold]  {first(item, ups.STATE)}  {first(item, ups.STEP_LABEL)}")
    for progress in items(item, ups.PROGRESS_INFORMATION):
        console.print(f"progress  {_progress_of(progress)}")
    for performed in items(item, ups.PERFORMED_PROCEDURE):
        said = [str(first(performed, tag)) for tag in ("00400254", "00400280") if first(performed, tag)]
        console.print(f"performed {'; '.join(said) or 'begun'}")
        for output in items(performed, "00404033"):
            console.print(f"result    {_where(output)}")


@app.command("order")
def order(
    study: Annotated[str, typer.Argument(help="Study Instance UID of the study to analyse")],
    patient_id: Annotated[str, typer.Option(help="as the study has it")] = "",
    patient_name: Annotated[str, typer.Option(help="as the study has it")] = "",
    label: Annotated[str, typer.Option(help="Procedure Step Label")] = "Analysis",
    priority: Annotated[Priority, typer.Option()] = Priority.MEDIUM,
    as_json: JsonOption = False,
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Order an analysis from the node: prints the UID of the work item."""
    settings = settings_from(config)
    code, station = settings.worklist.workitem_codes[0], settings.worklist.station
    wanted: Model = {
        rule.tag: {"vr": dictionary_VR(int(rule.tag, 16))} for rule in RULES if rule.create in {"0", "1", "2"}
    }
    wanted |= {
        ups.STATE: attribute("CS", WorkitemState.SCHEDULED.value),
        ups.PRIORITY: attribute("CS", priority.value),
        ups.READINESS: attribute("CS", "READY"),
        ups.STEP_LABEL: attribute("LO", label),
        ups.START_DATETIME: attribute("DT", ups.dicom_datetime(datetime.now(UTC))),
        ups.WORKITEM_CODES: attribute("SQ", coded(code.value, code.scheme, code.meaning)),
        ups.STATION_NAME_CODES: attribute(
            "SQ",
            coded(
                station.value or settings.dimse.ae_title,
                station.scheme,
                station.meaning or settings.node.site,
            ),
        ),
        ups.STUDY_INSTANCE_UID: attribute("UI", study),
        ups.INPUT_INFORMATION: attribute(
            "SQ", {ups.STUDY_INSTANCE_UID: attribute("UI", study), "0040E020": attribute("CS", "DICOM")}
        ),
        ups.PATIENT_ID: attribute("LO", *filter(None, [patient_id])),
        "00100010": attribute("PN", *([{"Alphabetic": patient_name}] if patient_name else [])),
    }
    uid = NodeClient(base_url(url, config)).create_workitem(wanted)
    typer.echo(json.dumps({"uid": uid}) if as_json else uid)


@app.command("cancel")
def cancel(
    uid: Uid,
    reason: Annotated[str, typer.Option(help="Reason For Cancellation")] = "",
    url: UrlOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask for the cancellation of a work item; one that has begun goes on."""
    NodeClient(base_url(url, config)).cancel_workitem(
        uid, {ups.CANCELLATION_REASON: attribute("LT", reason)} if reason else {}
    )


def _progress_of(progress: dict[str, Any]) -> str:
    percent, text = first(progress, "00741004"), first(progress, "00741006")
    why = first(progress, ups.CANCELLATION_REASON)
    return " ".join(str(part) for part in (f"{percent} %" if percent else "", text, why) if part)


def _where(output: Model) -> str:
    urls = [str(first(item, "00081190")) for item in items(output, "0040E025")]
    titles = [f"AE {first(item, '00080054')}" for item in items(output, "0040E021")]
    count = len(items(output, "00081199"))
    return f"{count} in series {first(output, ups.SERIES_INSTANCE_UID)}: {', '.join(urls + titles)}"
