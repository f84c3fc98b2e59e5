"""Storage commitment transactions, in both roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "commitments",
        sa.Column("id", _ORDERED, nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("transaction_uid", _ORDERED, nullable=False),
        sa.Column("peer_ae_title", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", _TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_commitments"),
    )
    op.create_index("ix_commitments_role_transaction_uid", "commitments", ["role", "transaction_uid"])
    op.create_index("ix_commitments_next_at", "commitments", ["next_at"])
    op.create_index("ix_commitments_ended_at", "commitments", ["ended_at"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("commitments")
