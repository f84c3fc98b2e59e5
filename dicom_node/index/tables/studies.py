"""Studies, and the ledger of what came in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import StudyId, Uid, UtcDateTime, metadata

studies = Table(
    "studies",
    metadata,
    Column("id", StudyId, primary_key=True),
    Column("study_instance_uid", Uid, nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("stage", String(16)),
    # The version that is received or worked on, or that ended last.
    Column("version", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    # Of all that came in, sorted, "\\" between them.
    Column("modalities", Text, nullable=False),
    Column("received_instances", Integer, nullable=False),
    Column("received_bytes", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("purged_at", UtcDateTime),
    Column("reason", Text),
    # Why the version that is worked on, or ended last, was taken as complete.
    Column("completed_by", String(16)),
    Index(None, "created_at", "id"),
    Index(None, "state", "last_received_at"),
)

instances = Table(
    "instances",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("study_instance_uid", Uid, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("sop_instance_uid", Uid, nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("transfer_syntax_uid", Uid, nullable=False),
    Column("modality", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("spool_ref", Text, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    # Rows stay as the ledger; what is purged may come again, as a new row.
    Column("purged_at", UtcDateTime),
    # What de-identification made of it last: `InstanceOutcome`, the rule that kept it back, in which version.
    Column("outcome", String(16)),
    Column("outcome_rule", Text),
    Column("outcome_version", Integer),
    Column("outcome_at", UtcDateTime),
    Index(None, "study_id", "version"),
    Index(None, "sop_instance_uid"),
)
Index(
    "uq_instances_unpurged",
    instances.c.sop_instance_uid,
    unique=True,
    sqlite_where=instances.c.purged_at.is_(None),
    postgresql_where=instances.c.purged_at.is_(None),
)

purges = Table(
    "purges",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    # The version whose end began it.
    Column("version", Integer, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("purged_at", UtcDateTime),
)
