"""Work items, subscriptions to them, and events on their way."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from dicom_node.index.tables.base import Uid, UtcDateTime, metadata, ordered

workitems = Table(
    "workitems",
    metadata,
    Column("uid", Uid, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("priority", Text, nullable=False),
    Column("readiness", Text, nullable=False),
    # Keyed hash of the Patient ID; empty where there is none.
    Column("patient_key", String(64), nullable=False),
    # AE title of who claimed it.
    Column("performer", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("modified_at", UtcDateTime, nullable=False),
    # Nonce, then AES-256-GCM over compressed JSON; gone once the work item is deleted.
    Column("sealed", LargeBinary),
    Index(None, "created_at", "uid"),
    Index(None, "state", "readiness"),
    Index(None, "patient_key"),
)

workitem_subscriptions = Table(
    "workitem_subscriptions",
    metadata,
    Column("uid", ForeignKey("workitems.uid"), primary_key=True),
    Column("ae_title", ordered(), primary_key=True),
    Column("deletion_lock", Boolean, nullable=False),
    Index(None, "ae_title"),
)

worklist_subscriptions = Table(
    "worklist_subscriptions",
    metadata,
    Column("ae_title", ordered(), primary_key=True),
    Column("filtered", Boolean, primary_key=True),
    Column("deletion_lock", Boolean, nullable=False),
    # The filter's matching keys; they may name a patient.
    Column("sealed", LargeBinary),
)

workitem_events = Table(
    "workitem_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("ae_title", ordered(), nullable=False),
    Column("uid", Uid, nullable=False),
    Column("type", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Index(None, "ae_title", "id"),
    # Ids are never given again, for subscribers go on behind the last that they received.
    sqlite_autoincrement=True,
)
