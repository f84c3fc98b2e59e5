"""Study and series rows of the catalogue: derived from the listed instances, written anew with them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text

from dicom_node.domain.catalog import CatalogKind
from dicom_node.index.attributes import (
    MODALITIES_IN_STUDY,
    MODALITY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    SERIES_TAGS,
    STUDY_TAGS,
    first_date,
    first_time,
    folded_names,
    text_of,
)
from dicom_node.index.tables.catalog import catalog_instances, catalog_series, catalog_studies

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from dicom_node.index.attributes import Attributes


def serialise_studies(connection: Connection, study_instance_uids: Collection[str]) -> None:
    """Let one transaction at a time derive these studies' rows. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        for uid in sorted(study_instance_uids):
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:uid, 20))"), {"uid": uid})


def derive_levels(connection: Connection, study_instance_uid: str) -> None:
    """Write the study's and its series' rows anew; none where nothing is listed."""
    for table in (catalog_series, catalog_studies):
        connection.execute(delete(table).where(table.c.study_instance_uid == study_instance_uid))
    counts, chosen = _series(connection, study_instance_uid)
    if not counts:
        return
    examples = _attributes(connection, list(chosen.values()))
    rows: list[dict[str, Any]] = []
    for series, count in counts.items():
        example = examples[chosen[series]]
        attributes = {tag: value for tag, value in example.items() if tag in SERIES_TAGS}
        attributes[NUMBER_OF_SERIES_RELATED_INSTANCES] = _integer(count)
        rows.append(
            {
                "study_instance_uid": study_instance_uid,
                "series_instance_uid": series,
                "modality": text_of(example, MODALITY),
                "instance_count": count,
                "attributes": dumps(attributes),
            }
        )
    connection.execute(insert(catalog_series), rows)

    study: Attributes = {}
    # Inputs come first in `chosen`; what they say about the study stands.
    for sop_instance_uid in reversed(chosen.values()):
        study |= {tag: v for tag, v in examples[sop_instance_uid].items() if tag in STUDY_TAGS}
    modalities = sorted({row["modality"] for row in rows} - {""})
    total = sum(counts.values())
    study[MODALITIES_IN_STUDY] = {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"}
    study[NUMBER_OF_STUDY_RELATED_SERIES] = _integer(len(rows))
    study[NUMBER_OF_STUDY_RELATED_INSTANCES] = _integer(total)
    connection.execute(
        insert(catalog_studies).values(
            study_instance_uid=study_instance_uid,
            study_date=first_date(study, "00080020"),
            study_time=first_time(study, "00080030"),
            accession_number=text_of(study, "00080050"),
            patient_name=folded_names(study, "00100010"),
            patient_id=text_of(study, "00100020"),
            referring_physician_name=folded_names(study, "00080090"),
            study_dicom_id=text_of(study, "00200010"),
            study_description=text_of(study, "00081030"),
            series_count=len(rows),
            instance_count=total,
            attributes=dumps(study),
        )
    )


def dumps(attributes: Attributes) -> str:
    """Compact JSON, ASCII only: every database takes it as it is."""
    return json.dumps(attributes, separators=(",", ":"))


def _series(connection: Connection, study_instance_uid: str) -> tuple[dict[str, int], dict[str, str]]:
    """Count and an example SOP Instance UID of each series; series of inputs come first."""
    table = catalog_instances
    query = (
        select(
            table.c.series_instance_uid,
            table.c.kind,
            func.count().label("instances"),
            func.min(table.c.sop_instance_uid).label("example"),
        )
        .where(table.c.study_instance_uid == study_instance_uid, table.c.listed)
        .group_by(table.c.series_instance_uid, table.c.kind)
    )
    found = sorted(
        connection.execute(query),
        key=lambda row: (row.kind != CatalogKind.SOURCE.value, row.series_instance_uid),
    )
    counts: dict[str, int] = defaultdict(int)
    examples: dict[str, str] = {}
    for row in found:
        counts[row.series_instance_uid] += row.instances
        examples.setdefault(row.series_instance_uid, row.example)
    return counts, examples


def _attributes(connection: Connection, sop_instance_uids: list[str]) -> dict[str, Attributes]:
    found: dict[str, Attributes] = {}
    for start in range(0, len(sop_instance_uids), 500):
        query = select(catalog_instances.c.sop_instance_uid, catalog_instances.c.attributes).where(
            catalog_instances.c.sop_instance_uid.in_(sop_instance_uids[start : start + 500])
        )
        for row in connection.execute(query):
            found[row.sop_instance_uid] = json.loads(row.attributes)
    return found


def _integer(value: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [value]}
