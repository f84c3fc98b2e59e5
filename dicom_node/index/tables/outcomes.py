"""What came of a version of a study: de-identification, routing, runs, results."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, String, Table, Text

from dicom_node.index.tables.base import Uid, metadata

deidentification = Table(
    "deidentification",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    # `DeidentificationReport` as JSON.
    Column("report", Text, nullable=False),
)

routing = Table(
    "routing",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("modalities", Text, nullable=False),
    Column("body_part", Text),
    # `RoutingDecision` as JSON.
    Column("decision", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text),
    Column("label", Text),
    Column("confidence", Float),
)

results = Table(
    "results",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("sop_instance_uid", Uid, nullable=False),
    Column("ref", Text, nullable=False),
)
