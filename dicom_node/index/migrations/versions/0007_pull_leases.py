"""Which process fetches a pull, and why a study was taken as complete."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("pulls", sa.Column("owner", sa.String(length=64), nullable=True))
    op.add_column("pulls", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "pulls",
        sa.Column("fetching", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
    )
    op.add_column("pulls", sa.Column("cancel_asked", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("studies", sa.Column("completed_by", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("studies", "completed_by")
    for name in ("cancel_asked", "fetching", "lease_until", "owner"):
        op.drop_column("pulls", name)
