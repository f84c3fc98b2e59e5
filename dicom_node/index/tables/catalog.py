"""What DICOMweb searches: instances, and the study and series level that follow from them.

The tables of studies and series are narrow, so that reading all of one costs little; their attributes lie
beside them, as DICOM JSON. Text columns hold what usual matching keys compare with: several values joined
by line feeds, times padded to HHMMSS.ffffff, "" where there is no value. All but `catalog_instances` is
derived from it: `index.catalog_levels` makes it anew where a migration emptied it.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from dicom_node.index.tables.base import StudyId, Uid, metadata, ordered

_LISTED = text("listed")

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
    # Those of them that are in `SUMMARY_TAGS`; NULL: an earlier version published it.
    Column("summary", Text),
    Index(None, "study_instance_uid", "series_instance_uid"),
    Index(None, "series_instance_uid"),
    Index(None, "study_id"),
    Index("ix_catalog_instances_number", "instance_number", sqlite_where=_LISTED, postgresql_where=_LISTED),
)

catalog_studies = Table(
    "catalog_studies",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("study_date", ordered(), nullable=False),
    Column("study_time", ordered(), nullable=False),
    Column("accession_number", ordered(), nullable=False),
    Column("patient_id", ordered(), nullable=False),
    Column("patient_birth_date", ordered(), nullable=False),
    Column("patient_sex", ordered(), nullable=False),
    Column("study_dicom_id", ordered(), nullable=False),
    Column("study_description", ordered(), nullable=False),
    # Between line feeds, one before the first and one after the last too.
    Column("modalities", ordered(), nullable=False),
    Column("series_count", Integer, nullable=False),
    Column("instance_count", Integer, nullable=False),
    # The order of results, and what tells how many of them a study holds.
    Index("ix_catalog_studies_order", "study_date", "study_instance_uid", "series_count", "instance_count"),
    Index(None, "patient_id"),
    Index(None, "accession_number"),
)

catalog_series = Table(
    "catalog_series",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("series_instance_uid", Uid, primary_key=True),
    Column("modality", ordered(), nullable=False),
    Column("series_number", Integer),
    Column("series_description", ordered(), nullable=False),
    Column("body_part_examined", ordered(), nullable=False),
    Column("series_date", ordered(), nullable=False),
    Column("series_time", ordered(), nullable=False),
    Column("performed_date", ordered(), nullable=False),
    Column("performed_time", ordered(), nullable=False),
    # IDs of scheduled steps and requested procedures, like modalities of a study.
    Column("request_ids", ordered(), nullable=False),
    Column("instance_count", Integer, nullable=False),
    Index(None, "series_instance_uid"),
    Index(None, "modality", "study_instance_uid"),
)

catalog_sop_classes = Table(
    "catalog_sop_classes",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("series_instance_uid", Uid, primary_key=True),
    Column("sop_class_uid", Uid, primary_key=True),
    Column("instance_count", Integer, nullable=False),
    # All that a count of instances by SOP Class needs.
    Index("ix_catalog_sop_classes_counts", "sop_class_uid", "study_instance_uid", "instance_count"),
)

catalog_documents = Table(
    "catalog_documents",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    # "" for the study's own attributes.
    Column("series_instance_uid", Uid, primary_key=True),
    # DICOM JSON.
    Column("attributes", Text, nullable=False),
)

catalog_names = Table(
    "catalog_names",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("tag", String(8), primary_key=True),
    # Counts all component groups of all values; the remainder by 3 says which group it is.
    Column("position", Integer, primary_key=True, autoincrement=False),
    # See `person_names.literal`.
    Column("name", ordered(), nullable=False),
    Index(None, "tag", "name"),
)

catalog_name_words = Table(
    "catalog_name_words",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("tag", String(8), primary_key=True),
    # See `person_names.words` and `sound`.
    Column("word", ordered(), primary_key=True),
    Column("sound", String(8), nullable=False),
    Index(None, "tag", "word"),
    Index(None, "tag", "sound"),
)

#: What `index.catalog_levels` derives from the instances.
DERIVED = (
    catalog_studies,
    catalog_series,
    catalog_sop_classes,
    catalog_documents,
    catalog_names,
    catalog_name_words,
)
