"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dicom_node.settings import Settings, load_settings

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="node.yaml; without it the defaults hold")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="base URL of a running node; default: http of the configuration")
]


def settings_from(config: Path | None) -> Settings:
    """Settings of a command: the file that was named, or the defaults and the environment."""
    return load_settings(config)


def base_url(url: str | None, config: Path | None) -> str:
    """The node's base URL without a trailing slash."""
    if url:
        return url.rstrip("/")
    http = settings_from(config).http
    return f"http://{http.host}:{http.port}"
