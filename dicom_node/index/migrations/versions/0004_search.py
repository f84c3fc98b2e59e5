"""Narrow tables to search, attributes beside them, words of names; made anew from the instances."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _text() -> sa.Text:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _text(), nullable=False) for name in names]


def upgrade() -> None:
    """Replace what is derived; `index.database.upgrade` fills it."""
    op.drop_table("catalog_series")
    op.drop_table("catalog_studies")
    op.create_index(
        "ix_catalog_instances_number",
        "catalog_instances",
        ["instance_number"],
        unique=False,
        sqlite_where=sa.text("listed"),
        postgresql_where=sa.text("listed"),
    )
    op.create_table(
        "catalog_studies",
        *_texts(
            "study_instance_uid",
            "study_date",
            "study_time",
            "accession_number",
            "patient_id",
            "patient_birth_date",
            "patient_sex",
            "study_dicom_id",
            "study_description",
            "modalities",
        ),
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_catalog_studies"),
    )
    op.create_index(
        "ix_catalog_studies_order",
        "catalog_studies",
        ["study_date", "study_instance_uid", "series_count", "instance_count"],
        unique=False,
    )
    op.create_index("ix_catalog_studies_patient_id", "catalog_studies", ["patient_id"], unique=False)
    op.create_index(
        "ix_catalog_studies_accession_number", "catalog_studies", ["accession_number"], unique=False
    )
    op.create_table(
        "catalog_series",
        *_texts("study_instance_uid", "series_instance_uid", "modality"),
        sa.Column("series_number", sa.Integer(), nullable=True),
        *_texts(
            "series_description",
            "body_part_examined",
            "series_date",
            "series_time",
            "performed_date",
            "performed_time",
            "request_ids",
        ),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "series_instance_uid", name="pk_catalog_series"),
    )
    op.create_index(
        "ix_catalog_series_series_instance_uid", "catalog_series", ["series_instance_uid"], unique=False
    )
    op.create_index(
        "ix_catalog_series_modality_study_instance_uid",
        "catalog_series",
        ["modality", "study_instance_uid"],
        unique=False,
    )
    op.create_table(
        "catalog_sop_classes",
        *_texts("study_instance_uid", "series_instance_uid", "sop_class_uid"),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "study_instance_uid", "series_instance_uid", "sop_class_uid", name="pk_catalog_sop_classes"
        ),
    )
    op.create_table(
        "catalog_documents",
        *_texts("study_instance_uid", "series_instance_uid"),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "series_instance_uid", name="pk_catalog_documents"),
    )
    op.create_table(
        "catalog_names",
        *_texts("study_instance_uid"),
        sa.Column("tag", sa.String(length=8), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        *_texts("name"),
        sa.PrimaryKeyConstraint("study_instance_uid", "tag", "position", name="pk_catalog_names"),
    )
    op.create_index("ix_catalog_names_tag_name", "catalog_names", ["tag", "name"], unique=False)
    op.create_table(
        "catalog_name_words",
        *_texts("study_instance_uid"),
        sa.Column("tag", sa.String(length=8), nullable=False),
        *_texts("word"),
        sa.Column("sound", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "tag", "word", name="pk_catalog_name_words"),
    )
    op.create_index("ix_catalog_name_words_tag_word", "catalog_name_words", ["tag", "word"], unique=False)
    op.create_index("ix_catalog_name_words_tag_sound", "catalog_name_words", ["tag", "sound"], unique=False)


def downgrade() -> None:
    """Leave the tables of the version before, empty: publishing fills them."""
    for table in (
        "catalog_name_words",
        "catalog_names",
        "catalog_documents",
        "catalog_sop_classes",
        "catalog_series",
        "catalog_studies",
    ):
        op.drop_table(table)
    op.drop_index("ix_catalog_instances_number", "catalog_instances")
    op.create_table(
        "catalog_series",
        *_texts("study_instance_uid", "series_instance_uid", "modality"),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", "series_instance_uid", name="pk_catalog_series"),
    )
    op.create_index(
        "ix_catalog_series_modality_study_instance_uid", "catalog_series", ["modality", "study_instance_uid"]
    )
    op.create_index("ix_catalog_series_series_instance_uid", "catalog_series", ["series_instance_uid"])
    op.create_table(
        "catalog_studies",
        *_texts("study_instance_uid", "study_date", "study_time"),
        *[
            sa.Column(name, sa.Text(), nullable=False)
            for name in (
                "accession_number",
                "patient_name",
                "patient_id",
                "referring_physician_name",
                "study_dicom_id",
                "study_description",
            )
        ],
        sa.Column("series_count", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("study_instance_uid", name="pk_catalog_studies"),
    )
    op.create_index("ix_catalog_studies_accession_number", "catalog_studies", ["accession_number"])
    op.create_index("ix_catalog_studies_order", "catalog_studies", ["study_date", "study_instance_uid"])
    op.create_index("ix_catalog_studies_patient_id", "catalog_studies", ["patient_id"])
