"""Results on their way: the queue of each destination, and how each destination does."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import Uid, UtcDateTime, metadata, ordered

deliveries = Table(
    "deliveries",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("destination", ordered(), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("created_at", UtcDateTime, nullable=False),
    # When this round of attempts began, and how many there had been before.
    Column("since", UtcDateTime, nullable=False),
    Column("attempts_before", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    # NULL while anything is left to do by itself.
    Column("settled_at", UtcDateTime),
    # NULL: at once.
    Column("next_at", UtcDateTime),
    # Counts how often the engine got it; the time while the engine has it.
    Column("number", Integer, nullable=False),
    Column("dispatched_at", UtcDateTime),
    # What a confirmation under way is known by, and since when.
    Column("token", Text),
    Column("confirming_since", UtcDateTime),
    Index(None, "created_at"),
)
_OPEN = deliveries.c.settled_at.is_(None)
Index(
    "ix_deliveries_open",
    deliveries.c.destination,
    deliveries.c.dispatched_at,
    deliveries.c.next_at,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

result_deliveries = Table(
    "result_deliveries",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("destination", ordered(), primary_key=True),
    # The result's own.
    Column("sop_instance_uid", Uid, primary_key=True),
    # In the order of sending.
    Column("position", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("confirmed_at", UtcDateTime),
    Column("reason", Text),
    Index(None, "sop_instance_uid"),
)

closings = Table(
    "closings",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    # How the analysis ended.
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    # UIDs in the results that the node made itself, " " between them; NULL: they were not kept.
    Column("own_uids", Text),
    Column("decided_at", UtcDateTime, nullable=False),
    # When to see whether the version can be ended or purged; NULL: once something changes.
    Column("look_at", UtcDateTime),
    Column("number", Integer, nullable=False),
    Column("dispatched_at", UtcDateTime),
    Index(None, "look_at"),
)

destination_breakers = Table(
    "destination_breakers",
    metadata,
    Column("destination", ordered(), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("openings", Integer, nullable=False),
    Column("opened_at", UtcDateTime),
    Column("probe_at", UtcDateTime),
    Column("reason", Text),
)
