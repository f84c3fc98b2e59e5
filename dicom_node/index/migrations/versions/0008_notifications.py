"""Messages to listeners about what happened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notifications",
        sa.Column("id", _ORDERED, nullable=False),
        sa.Column("listener", _ORDERED, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("study_id", _ORDERED, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
    )
    op.create_index(
        "ix_notifications_listener_state_next_at", "notifications", ["listener", "state", "next_at"]
    )
    op.create_index("ix_notifications_created_at_id", "notifications", ["created_at", "id"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("notifications")
