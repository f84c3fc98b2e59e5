"""`dicom-node serve`: DIMSE, HTTP and the embedded worker."""

from __future__ import annotations

import typer

from dicom_node.cli.options import ConfigOption, settings_from


def serve(config: ConfigOption = None) -> None:
    """Run the node in the foreground until Ctrl-C."""
    settings = settings_from(config)
    # Here, so that `--help` and wrong settings answer at once.
    from dicom_node.app.build import build_node
    from dicom_node.observability.logging import configure_logging

    configure_logging(settings.logging.level, settings.logging.format)
    node = build_node(settings)
    node.start()
    typer.echo("Research use only. Not for diagnosis.")
    aet, host = settings.dimse.ae_title, settings.dimse.host
    typer.echo(f"DIMSE      {aet}@{host}:{node.dimse_port}")
    if node.dimse_tls_port is not None:
        typer.echo(f"DIMSE TLS  {aet}@{host}:{node.dimse_tls_port}")
    typer.echo(f"Dashboard  {node.http_url}/")
    typer.echo(f"Viewer     {node.http_url}/viewer/")
    typer.echo(f"DICOMweb   {node.http_url}/dicom-web")
    node.serve()
