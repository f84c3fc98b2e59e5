"""Instances in quarantine, and reports of de-identification."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text() -> sa.Text:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "quarantine",
        sa.Column("id", _text(), nullable=False),
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", _text(), nullable=False),
        sa.Column("sop_class_uid", _text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("vouchable", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("vouched", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_quarantine_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_created_at_id", "quarantine", ["created_at", "id"], unique=False)
    op.create_index("ix_quarantine_study_id_state", "quarantine", ["study_id", "state"], unique=False)
    op.create_index(
        "uq_quarantine_held",
        "quarantine",
        ["study_id", "sop_instance_uid", "sha256"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "deidentification",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_deidentification_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", name="pk_deidentification"),
    )


def downgrade() -> None:
    """Remove both tables."""
    op.drop_table("deidentification")
    op.drop_table("quarantine")
