"""Instances that were kept back, and what was decided about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import Uid, UtcDateTime, metadata, ordered

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", ordered(), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sop_instance_uid", Uid, nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("modality", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("rule", Text, nullable=False),
    Column("vouchable", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    # Empty once the bytes are gone.
    Column("ref", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Rows stay as the ledger of decisions.
    Column("decided_at", UtcDateTime),
    Column("decided_by", Text),
    Column("decision", Text),
    # The rule that a person answered for.
    Column("vouched", Text),
    Index(None, "created_at", "id"),
    Index(None, "study_id", "state"),
)
Index(
    "uq_quarantine_held",
    quarantine.c.study_id,
    quarantine.c.sop_instance_uid,
    quarantine.c.sha256,
    unique=True,
    sqlite_where=quarantine.c.state == "held",
    postgresql_where=quarantine.c.state == "held",
)
