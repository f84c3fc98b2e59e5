"""Work items, subscriptions and their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _text() -> sa.Text:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workitems",
        sa.Column("uid", _text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("readiness", sa.Text(), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("performer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name="pk_workitems"),
    )
    op.create_index("ix_workitems_created_at_uid", "workitems", ["created_at", "uid"], unique=False)
    op.create_index("ix_workitems_state_readiness", "workitems", ["state", "readiness"], unique=False)
    op.create_index("ix_workitems_patient_key", "workitems", ["patient_key"], unique=False)
    op.create_table(
        "workitem_subscriptions",
        sa.Column("uid", _text(), nullable=False),
        sa.Column("ae_title", _text(), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["uid"], ["workitems.uid"], name="fk_workitem_subscriptions_uid"),
        sa.PrimaryKeyConstraint("uid", "ae_title", name="pk_workitem_subscriptions"),
    )
    op.create_index(
        "ix_workitem_subscriptions_ae_title", "workitem_subscriptions", ["ae_title"], unique=False
    )
    op.create_table(
        "worklist_subscriptions",
        sa.Column("ae_title", _text(), nullable=False),
        sa.Column("filtered", sa.Boolean(), nullable=False),
        sa.Column("deletion_lock", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("ae_title", "filtered", name="pk_worklist_subscriptions"),
    )
    op.create_table(
        "workitem_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ae_title", _text(), nullable=False),
        sa.Column("uid", _text(), nullable=False),
        sa.Column("type", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_workitem_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workitem_events_ae_title_id", "workitem_events", ["ae_title", "id"], unique=False)


def downgrade() -> None:
    """Remove the tables."""
    for table in (
        "workitem_events",
        "worklist_subscriptions",
        "workitem_subscriptions",
        "workitems",
    ):
        op.drop_table(table)
