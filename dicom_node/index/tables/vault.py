"""Original identities, sealed."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from dicom_node.index.tables.base import StudyId, metadata

vault = Table(
    "vault",
    metadata,
    Column("study_id", StudyId, primary_key=True),
    # Nonce, then AES-256-GCM over compressed JSON.
    Column("sealed", LargeBinary, nullable=False),
)
