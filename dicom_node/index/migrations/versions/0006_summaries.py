"""The few attributes of each instance that most searches return."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and an index; instances without it are read whole."""
    op.add_column("catalog_instances", sa.Column("summary", sa.Text(), nullable=True))
    op.create_index(
        "ix_catalog_sop_classes_counts",
        "catalog_sop_classes",
        ["sop_class_uid", "study_instance_uid", "instance_count"],
        unique=False,
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_index("ix_catalog_sop_classes_counts", "catalog_sop_classes")
    op.drop_column("catalog_instances", "summary")
