"""Where the workflow engine keeps its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dicom_node.settings import Settings


def workflow_url(settings: Settings) -> str:
    """Beside the index: a file of its own on SQLite, the same database on PostgreSQL."""
    if settings.database.url is None or settings.database.url.startswith("sqlite"):
        return f"sqlite:///{settings.node.data_dir / 'workflows.db'}"
    return settings.database.url
