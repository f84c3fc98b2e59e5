"""Messages to listeners about what happened."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import StudyId, UtcDateTime, metadata, ordered

notifications = Table(
    "notifications",
    metadata,
    # The same for the same event and listener.
    Column("id", ordered(), primary_key=True),
    Column("listener", ordered(), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("study_id", StudyId, nullable=False),
    Column("version", Integer, nullable=False),
    Column("destination", Text),
    # JSON, without identity.
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Its age counts from here: when it was made, or retried by a person.
    Column("queued_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("reason", Text),
    Index(None, "listener", "state", "next_at"),
    Index(None, "created_at", "id"),
)
