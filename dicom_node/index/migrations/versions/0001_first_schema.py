"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text() -> sa.Text:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "catalog_instances",
        sa.Column("sop_instance_uid", _text(), nullable=False),
        sa.Column("study_instance_uid", _text(), nullable=False),
        sa.Column("series_instance_uid", _text(), nullable=False),
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sop_class_uid", _text(), nullable=False),
        sa.Column("transfer_syntax_uid", _text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("instance_number", sa.Integer(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sop_instance_uid", name="pk_catalog_instances"),
    )
    op.create_index(
        "ix_catalog_instances_series_instance_uid", "catalog_instances", ["series_instance_uid"], unique=False
    )
    op.create_index("ix_catalog_instances_study_id", "catalog_instances", ["study_id"], unique=False)
    op.create_index(
        "ix_catalog_instances_study_instance_uid_series_instance_uid",
        "catalog_instances",
        ["study_instance_uid", "series_instance_uid"],
        unique=False,
    )
    op.create_table(
        "catalog_series",
        sa.Column("study_instance_uid", _text(), nullable=False),
        sa.Column("series_instance_uid", _text(), nullable=False),
        sa.Column("modality", _text(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "series_instance_uid", name="pk_catalog_series"),
    )
    op.create_index(
        "ix_catalog_series_modality_study_instance_uid",
        "catalog_series",
        ["modality", "study_instance_uid"],
        unique=False,
    )
    op.create_index(
        "ix_catalog_series_series_instance_uid", "catalog_series", ["series_instance_uid"], unique=False
    )
    op.create_table(
        "catalog_studies",
        sa.Column("study_instance_uid", _text(), nullable=False),
        sa.Column("study_date", _text(), nullable=False),
        sa.Column("study_time", _text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column("patient_name", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("referring_physician_name", sa.Text(), nullable=False),
        sa.Column("study_dicom_id", sa.Text(), nullable=False),
        sa.Column("study_description", sa.Text(), nullable=False),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_catalog_studies"),
    )
    op.create_index(
        "ix_catalog_studies_accession_number", "catalog_studies", ["accession_number"], unique=False
    )
    op.create_index(
        "ix_catalog_studies_order", "catalog_studies", ["study_date", "study_instance_uid"], unique=False
    )
    op.create_index("ix_catalog_studies_patient_id", "catalog_studies", ["patient_id"], unique=False)
    op.create_table(
        "studies",
        sa.Column("id", _text(), nullable=False),
        sa.Column("study_instance_uid", _text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("modalities", sa.Text(), nullable=False),
        sa.Column("received_instances", sa.Integer(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
        sa.UniqueConstraint("study_instance_uid", name="uq_studies_study_instance_uid"),
    )
    op.create_index("ix_studies_created_at_id", "studies", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_studies_state_last_received_at", "studies", ["state", "last_received_at"], unique=False
    )
    op.create_table(
        "vault",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("study_id", name="pk_vault"),
    )
    op.create_table(
        "deliveries",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("destination", _text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_deliveries_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", "destination", name="pk_deliveries"),
    )
    op.create_table(
        "instances",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", _text(), nullable=False),
        sa.Column("series_instance_uid", _text(), nullable=False),
        sa.Column("sop_instance_uid", _text(), nullable=False),
        sa.Column("sop_class_uid", _text(), nullable=False),
        sa.Column("transfer_syntax_uid", _text(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("spool_ref", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_instances_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
    )
    op.create_index("ix_instances_sop_instance_uid", "instances", ["sop_instance_uid"], unique=False)
    op.create_index("ix_instances_study_id_version", "instances", ["study_id", "version"], unique=False)
    op.create_index(
        "uq_instances_unpurged",
        "instances",
        ["sop_instance_uid"],
        unique=True,
        sqlite_where=sa.text("purged_at IS NULL"),
        postgresql_where=sa.text("purged_at IS NULL"),
    )
    op.create_table(
        "purges",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_purges_study_id"),
        sa.PrimaryKeyConstraint("study_id", "epoch", name="pk_purges"),
    )
    op.create_table(
        "results",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sop_class_uid", _text(), nullable=False),
        sa.Column("series_instance_uid", _text(), nullable=False),
        sa.Column("sop_instance_uid", _text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_results_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", "position", name="pk_results"),
    )
    op.create_table(
        "routing",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("modalities", sa.Text(), nullable=False),
        sa.Column("body_part", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_routing_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", name="pk_routing"),
    )
    op.create_table(
        "runs",
        sa.Column("study_id", _text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("series_instance_uid", _text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_runs_study_id"),
        sa.PrimaryKeyConstraint("study_id", "version", "position", name="pk_runs"),
    )


def downgrade() -> None:
    """Remove all tables."""
    for table in (
        "catalog_instances",
        "catalog_series",
        "catalog_studies",
        "vault",
        "deliveries",
        "instances",
        "purges",
        "results",
        "routing",
        "runs",
        "studies",
    ):
        op.drop_table(table)
