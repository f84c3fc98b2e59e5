"""The `dicom-node` command: exit code 0 done, 1 failed, 2 wrong use."""

from __future__ import annotations

import sys

import typer

from dicom_node.cli import (
    anonymize,
    audit,
    database,
    deliveries,
    demo,
    doctor,
    echo,
    find,
    models,
    models_packages,
    notifications,
    pull,
    purge,
    quarantine,
    reconcile,
    routes,
    send,
    serve,
    studies,
    worklist,
)
from dicom_node.domain.errors import NodeError
from dicom_node.observability.logging import configure_logging

app = typer.Typer(
    name="dicom-node",
    help="AI research node for radiology: DICOM in, standard DICOM results out. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("send")(send.send)
app.command("echo")(echo.echo)
app.command("find")(find.find)
app.command("pull")(pull.pull)
app.command("studies")(studies.studies)
app.command("anonymize")(anonymize.anonymize)
app.command("purge")(purge.purge)
app.command("reconcile")(reconcile.reconcile)
app.command("doctor")(doctor.doctor)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(notifications.app, name="notifications")
app.add_typer(worklist.app, name="worklist")
models.app.command("new")(models_packages.new)
models.app.command("trust")(models_packages.trust)
models.app.command("install")(models_packages.install)
app.add_typer(models.app, name="models")
app.add_typer(routes.app, name="routes")
app.add_typer(database.app, name="db")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line."""
    # `serve` sets it up again as configured. Standard output is for what a command answers.
    configure_logging("warning")
    try:
        app()
    except NodeError as exc:
        print(f"dicom-node: {exc}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
