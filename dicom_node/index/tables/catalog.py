"""What DICOMweb searches: instances, and the study and series level that follow from them.

Text columns beside `attributes` hold what usual matching keys compare with: several values joined by
line feeds, person names case-folded, times padded to HHMMSS.ffffff, "" where there is no value.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from dicom_node.index.tables.base import StudyId, Uid, metadata, ordered

catalog_instances = Table(
    "catalog_instances",
    metadata,
    Column("sop_instance_uid", Uid, primary_key=True),
    Column("study_instance_uid", Uid, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("study_id", StudyId, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("transfer_syntax_uid", Uid, nullable=False),
    Column("ref", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # False: a tombstone, without ref and attributes.
    Column("listed", Boolean, nullable=False),
    Column("instance_number", Integer),
    # DICOM JSON (PS3.18 Annex F).
    Column("attributes", Text, nullable=False),
    Index(None, "study_instance_uid", "series_instance_uid"),
    Index(None, "series_instance_uid"),
    Index(None, "study_id"),
)

catalog_studies = Table(
    "catalog_studies",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("study_date", ordered(), nullable=False),
    Column("study_time", ordered(), nullable=False),
    Column("accession_number", Text, nullable=False),
    Column("patient_name", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("referring_physician_name", Text, nullable=False),
    Column("study_dicom_id", Text, nullable=False),
    Column("study_description", Text, nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("attributes", Text, nullable=False),
    Index("ix_catalog_studies_order", "study_date", "study_instance_uid"),
    Index(None, "patient_id"),
    Index(None, "accession_number"),
)

catalog_series = Table(
    "catalog_series",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("series_instance_uid", Uid, primary_key=True),
    Column("modality", ordered(), nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("attributes", Text, nullable=False),
    Index(None, "series_instance_uid"),
    Index(None, "modality", "study_instance_uid"),
)
