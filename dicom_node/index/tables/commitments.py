"""Storage commitment transactions."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from dicom_node.index.tables.base import UtcDateTime, metadata, ordered

commitments = Table(
    "commitments",
    metadata,
    Column("id", ordered(), primary_key=True),
    # "scu": this node asked the peer; "scp": the peer asked this node.
    Column("role", String(8), nullable=False),
    # Of a peer's transaction the pseudonymous UID.
    Column("transaction_uid", ordered(), nullable=False),
    Column("peer_ae_title", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    # When the report to the peer is due; NULL where none is.
    Column("next_at", UtcDateTime),
    Column("reason", Text),
    # Nonce, then AES-256-GCM over JSON: which instances, and what became of them.
    Column("sealed", LargeBinary),
    Index(None, "role", "transaction_uid"),
    Index(None, "next_at"),
    Index(None, "ended_at"),
)
