"""`dicom-node reconcile`: whether what is recorded fits what is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dicom_node.cli.options import ConfigOption, JsonOption, settings_from

if TYPE_CHECKING:
    from dicom_node.domain.reconciliation import ReconciliationReport


def reconcile(
    deep: Annotated[bool, typer.Option("--deep", help="read all bytes, and verify tags and hashes")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="mend what can safely be mended")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare index, stores, keys, results and deliveries, beside a running node or without one."""
    from dicom_node.app.reconcile import open_reconciled, wait
    from dicom_node.app.workflow_url import workflow_url

    settings = settings_from(config)
    with open_reconciled(settings, workflow_url(settings)) as reconciled:
        report = reconciled.reconciliation(deep=deep, repair=repair, wait=wait).run()
    if report is None:  # nobody asks this one to end
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _tell(Console(), report)
    if not report.clean:
        raise typer.Exit(1)


def _tell(console: Console, report: ReconciliationReport) -> None:
    for each in report.discrepancies:
        mark = "[green]repaired[/green]  " if each.repaired else ""
        study = f"  study {each.study_id}" if each.study_id else ""
        console.print(f"{mark}{each.kind.value}{study}  {each.subject}: {each.text}", soft_wrap=True)
    left = sum(report.counts.values())
    console.print(f"{report.studies} studies, {report.blobs} files: {left or 'no'} discrepancies")
