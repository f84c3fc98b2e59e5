"""Studies that the node fetches from archives."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, false

from dicom_node.index.tables.base import Uid, UtcDateTime, metadata, ordered

pulls = Table(
    "pulls",
    metadata,
    Column("id", ordered(), primary_key=True),
    Column("source", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("expected", Integer),
    Column("received", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    # The node's own ids, " " between them.
    Column("study_ids", Text, nullable=False),
    Column("reason", Text),
    # Nonce, then AES-256-GCM over JSON: what was asked for. Erased at the pull's end.
    Column("sealed", LargeBinary),
    # The process that fetches it, until when that holds, and the study (pseudonymous) that it is at.
    Column("owner", String(64)),
    Column("lease_until", UtcDateTime),
    Column("fetching", Uid),
    Column("cancel_asked", Boolean, nullable=False, server_default=false()),
    Index(None, "created_at", "id"),
    Index(None, "state"),
)
