"""A durable queue of deliveries for each destination, with the state of each object."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEY = ("study_id", "version", "destination")


def _text() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Make the tables; deliveries that are under way are queued anew when the node starts."""
    op.execute("CREATE TABLE deliveries_before AS SELECT * FROM deliveries")
    op.drop_table("deliveries")
    op.create_table(
        "deliveries",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("destination", _text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        _time("created_at", nullable=False),
        _time("since", nullable=False),
        sa.Column("attempts_before", sa.Integer(), nullable=False),
        _time("updated_at", nullable=False),
        _time("sent_at"),
        _time("confirmed_at"),
        _time("settled_at"),
        _time("next_at"),
        sa.Column("number", sa.Integer(), nullable=False),
        _time("dispatched_at"),
        sa.Column("token", sa.Text(), nullable=True),
        _time("confirming_since"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_deliveries_study_id"),
        sa.PrimaryKeyConstraint(*_KEY, name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    open_ = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["destination", "dispatched_at", "next_at"],
        sqlite_where=open_,
        postgresql_where=open_,
    )
    op.execute(
        "INSERT INTO deliveries (study_id, version, destination, status, attempts, reason, created_at, since,"
        " attempts_before, updated_at, sent_at, settled_at, number)"
        " SELECT b.study_id, b.version, b.destination, b.status, b.attempts, b.reason, s.created_at,"
        " s.created_at, 0, COALESCE(s.ended_at, s.last_received_at),"
        " CASE WHEN b.status = 'sent' THEN COALESCE(s.ended_at, s.last_received_at) END,"
        " COALESCE(s.ended_at, s.last_received_at), 0"
        " FROM deliveries_before b JOIN studies s ON s.id = b.study_id WHERE b.status <> 'pending'"
    )
    op.drop_table("deliveries_before")
    op.create_table(
        "result_deliveries",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("destination", _text(), nullable=False),
        sa.Column("sop_instance_uid", _text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("sent_at"),
        _time("confirmed_at"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_result_deliveries_study_id"),
        sa.PrimaryKeyConstraint(*_KEY, "sop_instance_uid", name="pk_result_deliveries"),
    )
    op.create_index("ix_result_deliveries_sop_instance_uid", "result_deliveries", ["sop_instance_uid"])
    op.create_table(
        "closings",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("own_uids", sa.Text(), nullable=True),
        _time("decided_at", nullable=False),
        _time("look_at"),
        sa.Column("number", sa.Integer(), nullable=False),
        _time("dispatched_at"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_closings_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", name="pk_closings"),
    )
    op.create_index("ix_closings_look_at", "closings", ["look_at"])
    op.create_table(
        "destination_breakers",
        sa.Column("destination", _text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        _time("opened_at"),
        _time("probe_at"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("destination", name="pk_destination_breakers"),
    )


def downgrade() -> None:
    """Leave of deliveries what the earlier version knew."""
    for name in ("destination_breakers", "closings", "result_deliveries"):
        op.drop_table(name)
    op.drop_index("ix_deliveries_open", "deliveries")
    op.drop_index("ix_deliveries_created_at", "deliveries")
    for name in (
        "confirming_since",
        "token",
        "dispatched_at",
        "number",
        "next_at",
        "settled_at",
        "confirmed_at",
        "sent_at",
        "updated_at",
        "attempts_before",
        "since",
        "created_at",
    ):
        op.drop_column("deliveries", name)
