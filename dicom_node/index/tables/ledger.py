"""The ledger beside the instances: versions with their times, results made, what was refused, reports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import Uid, UtcDateTime, metadata, ordered

study_versions = Table(
    "study_versions",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    # NULL where it was before the ledger.
    Column("completed_at", UtcDateTime),
    Column("completed_by", String(16)),
    Column("deidentified_at", UtcDateTime),
    Column("processed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("state", String(16)),
    Column("reason", Text),
)

made_results = Table(
    "made_results",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sop_instance_uid", Uid, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("model", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    # Of its bytes as stored; NULL where it was made before the ledger.
    Column("size", BigInteger),
    Column("sha256", String(64)),
    Column("made_at", UtcDateTime),
    # NULL until the gate has spoken.
    Column("passed", Boolean),
    # Why the gate kept it back.
    Column("problem", Text),
    Column("checked_at", UtcDateTime),
    Column("expired_at", UtcDateTime),
)

repeats = Table(
    "repeats",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    # Instances that came again: the same bytes, and other bytes under a known UID.
    Column("duplicates", Integer, nullable=False),
    Column("conflicts", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("source", ordered(), primary_key=True),
    # Of the error.
    Column("code", ordered(), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", ordered(), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    # `ReconciliationReport` as JSON.
    Column("report", Text, nullable=False),
    Index(None, "created_at", "id"),
)
