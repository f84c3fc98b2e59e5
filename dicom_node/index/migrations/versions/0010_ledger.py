"""What became of each instance and each result, with times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)
_OUTCOME = (
    ("outcome", sa.String(length=16)),
    ("outcome_rule", sa.Text()),
    ("outcome_version", sa.Integer()),
    ("outcome_at", _TIME),
)


def upgrade() -> None:
    """Add columns and tables, and fill in what is known of studies from before; their times are not."""
    for name, kind in _OUTCOME:
        op.add_column("instances", sa.Column(name, kind, nullable=True))
    op.create_table(
        "study_versions",
        sa.Column("study_id", _ORDERED, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("completed_at", _TIME, nullable=True),
        sa.Column("completed_by", sa.String(length=16), nullable=True),
        sa.Column("deidentified_at", _TIME, nullable=True),
        sa.Column("processed_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_study_versions_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", name="pk_study_versions"),
    )
    op.create_table(
        "made_results",
        sa.Column("study_id", _ORDERED, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sop_instance_uid", _ORDERED, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sop_class_uid", _ORDERED, nullable=False),
        sa.Column("series_instance_uid", _ORDERED, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("made_at", _TIME, nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("checked_at", _TIME, nullable=True),
        sa.Column("expired_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_made_results_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", "sop_instance_uid", name="pk_made_results"),
    )
    op.create_table(
        "repeats",
        sa.Column("study_id", _ORDERED, nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("conflicts", sa.Integer(), nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_repeats_study_id"),
        sa.PrimaryKeyConstraint("study_id", name="pk_repeats"),
    )
    op.create_table(
        "refusals",
        sa.Column("source", _ORDERED, nullable=False),
        sa.Column("code", _ORDERED, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "code", name="pk_refusals"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", _ORDERED, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reconciliations"),
    )
    op.create_index("ix_reconciliations_created_at_id", "reconciliations", ["created_at", "id"])
    _fill_in()


def _fill_in() -> None:
    deidentified = (
        "(SELECT max(d.version) FROM deidentification d"
        " WHERE d.study_id = instances.study_id AND d.version >= instances.version)"
    )
    op.execute(
        f"UPDATE instances SET outcome = 'deidentified', outcome_version = {deidentified}"  # noqa: S608
        f" WHERE {deidentified} IS NOT NULL"
    )
    kept_back = (
        "SELECT max(q.rule) FROM quarantine q WHERE q.study_id = instances.study_id"
        " AND q.sop_instance_uid = instances.sop_instance_uid AND q.sha256 = instances.sha256"
        " AND q.state IN ('held', 'deleted')"
    )
    op.execute(
        f"UPDATE instances SET outcome = 'quarantined', outcome_rule = ({kept_back})"  # noqa: S608
        f" WHERE outcome IS NOT NULL AND ({kept_back}) IS NOT NULL"
    )
    op.execute(
        "INSERT INTO study_versions (study_id, version, ended_at, state, reason)"
        " SELECT id, version, ended_at, state, reason FROM studies WHERE ended_at IS NOT NULL"
    )
    op.execute(
        "INSERT INTO made_results (study_id, version, sop_instance_uid, position, kind, sop_class_uid,"
        " series_instance_uid, model, model_version, passed)"
        " SELECT study_id, version, sop_instance_uid, position, kind, sop_class_uid, series_instance_uid,"
        " '', '', true FROM results"
    )


def downgrade() -> None:
    """Remove them."""
    for name in ("reconciliations", "refusals", "repeats", "made_results", "study_versions"):
        op.drop_table(name)
    for name, _ in reversed(_OUTCOME):
        op.drop_column("instances", name)
