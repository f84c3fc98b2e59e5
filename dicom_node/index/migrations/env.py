"""Alembic's entry: runs migrations on the connection that `index.database.upgrade` gives."""

from __future__ import annotations

from alembic import context

from dicom_node.index.tables.all import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
