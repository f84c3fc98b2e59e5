"""Study and series rows of the catalogue: derived from the listed instances, written anew with them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, exists, func, insert, select, text

from dicom_node.domain.attribute_levels import (
    INSTANCE_AVAILABILITY,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    SERIES_TAGS,
    SOP_CLASSES_IN_STUDY,
    STUDY_TAGS,
)
from dicom_node.domain.catalog import CatalogKind
from dicom_node.index.attributes import (
    MODALITY,
    clean,
    enclosed,
    first_date,
    first_integer,
    first_time,
    text_of,
    values_of,
)
from dicom_node.index.person_names import component_groups, literal, sound, words
from dicom_node.index.tables.catalog import (
    DERIVED,
    catalog_documents,
    catalog_instances,
    catalog_name_words,
    catalog_names,
    catalog_series,
    catalog_sop_classes,
    catalog_studies,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from dicom_node.index.attributes import Attributes

#: Person names of a study that are matched by the database.
NAME_TAGS: Final = ("00100010", "00080090")
_REQUESTS: Final = "00400275"
#: Scheduled Procedure Step ID and Requested Procedure ID.
REQUEST_ID_TAGS: Final = ("00400009", "00401001")
_TIMEZONE: Final = "00080201"
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False)
#: Values in one statement; databases bound them.
_CHUNK: Final = 500


@dataclass(slots=True)
class _Series:
    """What the listed instances of a series say of it."""

    example: str
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def instances(self) -> int:
        return sum(self.counts.values())


def serialise_studies(connection: Connection, study_instance_uids: Collection[str]) -> None:
    """Let one transaction at a time derive these studies' rows. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        for uid in sorted(study_instance_uids):
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:uid, 20))"), {"uid": uid})


def derive_missing(connection: Connection) -> None:
    """Derive the rows of all studies that have listed instances and no row: a migration emptied them."""
    listed = select(catalog_instances.c.study_instance_uid).where(catalog_instances.c.listed).distinct()
    missing = listed.where(
        ~exists().where(catalog_studies.c.study_instance_uid == catalog_instances.c.study_instance_uid)
    )
    for uid in connection.execute(missing).scalars().all():
        derive_levels(connection, uid)


def derive_levels(connection: Connection, study_instance_uid: str) -> None:
    """Write the study's and its series' rows anew; none where nothing is listed."""
    for table in DERIVED:
        connection.execute(delete(table).where(table.c.study_instance_uid == study_instance_uid))
    series = _series(connection, study_instance_uid)
    if not series:
        return
    examples = _attributes(connection, [one.example for one in series.values()])
    key = {"study_instance_uid": study_instance_uid}
    rows: list[dict[str, Any]] = []
    documents: list[dict[str, str]] = []
    classes: list[dict[str, Any]] = []
    for uid, one in series.items():
        example = examples[one.example]
        rows.append(key | {"series_instance_uid": uid} | _series_row(example, one.instances))
        documents.append(key | {"series_instance_uid": uid, "attributes": _series_document(example, one)})
        classes += [
            key | {"series_instance_uid": uid, "sop_class_uid": sop_class, "instance_count": count}
            for sop_class, count in one.counts.items()
        ]
    study: Attributes = {}
    # Inputs come first in `series`; what they say about the study stands.
    for one in reversed(series.values()):
        study |= {tag: v for tag, v in examples[one.example].items() if tag in STUDY_TAGS}
    modalities = sorted({row["modality"] for row in rows} - {""})
    sop_classes = sorted({row["sop_class_uid"] for row in classes})
    counts = {"series_count": len(rows), "instance_count": sum(one.instances for one in series.values())}
    study[INSTANCE_AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    study[MODALITIES_IN_STUDY] = {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"}
    study[SOP_CLASSES_IN_STUDY] = {"vr": "UI", "Value": sop_classes}
    study[NUMBER_OF_STUDY_RELATED_SERIES] = _integer(counts["series_count"])
    study[NUMBER_OF_STUDY_RELATED_INSTANCES] = _integer(counts["instance_count"])
    documents.append(key | {"series_instance_uid": "", "attributes": dumps(study)})
    connection.execute(
        insert(catalog_studies).values(
            **key, **_study_row(study), **counts, modalities=enclosed([clean(m) for m in modalities])
        )
    )
    connection.execute(insert(catalog_series), rows)
    connection.execute(insert(catalog_sop_classes), classes)
    connection.execute(insert(catalog_documents), documents)
    _insert_names(connection, key, study)


def dumps(attributes: Attributes) -> str:
    """Compact JSON, ASCII only: every database takes it as it is."""
    return _ENCODER.encode(attributes)


def _study_row(study: Attributes) -> dict[str, Any]:
    return {
        "study_date": first_date(study, "00080020"),
        "study_time": first_time(study, "00080030"),
        "accession_number": text_of(study, "00080050"),
        "patient_id": text_of(study, "00100020"),
        "patient_birth_date": first_date(study, "00100030"),
        "patient_sex": text_of(study, "00100040"),
        "study_dicom_id": text_of(study, "00200010"),
        "study_description": text_of(study, "00081030"),
    }


def _series_row(example: Attributes, instances: int) -> dict[str, Any]:
    requests = [item for item in values_of(example, _REQUESTS) if isinstance(item, dict)]
    ids = [text_of(item, tag) for item in requests for tag in REQUEST_ID_TAGS]
    return {
        "modality": text_of(example, MODALITY),
        "series_number": first_integer(example, "00200011"),
        "series_description": text_of(example, "0008103E"),
        "body_part_examined": text_of(example, "00180015"),
        "series_date": first_date(example, "00080021"),
        "series_time": first_time(example, "00080031"),
        "performed_date": first_date(example, "00400244"),
        "performed_time": first_time(example, "00400245"),
        "request_ids": enclosed([one for one in ids if one]),
        "instance_count": instances,
    }


def _series_document(example: Attributes, series: _Series) -> str:
    attributes = {tag: v for tag, v in example.items() if tag in SERIES_TAGS or tag == _TIMEZONE}
    attributes[NUMBER_OF_SERIES_RELATED_INSTANCES] = _integer(series.instances)
    return dumps(attributes)


def _insert_names(connection: Connection, key: dict[str, str], study: Attributes) -> None:
    names: list[dict[str, Any]] = []
    parts: list[dict[str, str]] = []
    for tag in NAME_TAGS:
        groups = [g for v in values_of(study, tag) if v is not None for g in component_groups(v)]
        names += [
            {**key, "tag": tag, "position": position, "name": clean(literal(group))}
            for position, group in enumerate(groups)
            if literal(group)
        ]
        parts += [
            key | {"tag": tag, "word": word, "sound": sound(word)} for word in words(clean("=".join(groups)))
        ]
    if names:
        connection.execute(insert(catalog_names), names)
    if parts:
        connection.execute(insert(catalog_name_words), parts)


def _series(connection: Connection, study_instance_uid: str) -> dict[str, _Series]:
    """The series of a study; those of inputs come first."""
    table = catalog_instances
    query = (
        select(
            table.c.series_instance_uid,
            table.c.kind,
            table.c.sop_class_uid,
            func.count().label("instances"),
            func.min(table.c.sop_instance_uid).label("example"),
        )
        .where(table.c.study_instance_uid == study_instance_uid, table.c.listed)
        .group_by(table.c.series_instance_uid, table.c.kind, table.c.sop_class_uid)
    )
    found: dict[str, _Series] = {}
    for row in sorted(
        connection.execute(query),
        key=lambda row: (row.kind != CatalogKind.SOURCE.value, row.series_instance_uid, row.example),
    ):
        one = found.setdefault(row.series_instance_uid, _Series(row.example))
        one.counts[row.sop_class_uid] += row.instances
    return found


def _attributes(connection: Connection, sop_instance_uids: list[str]) -> dict[str, Attributes]:
    found: dict[str, Attributes] = {}
    for start in range(0, len(sop_instance_uids), _CHUNK):
        query = select(catalog_instances.c.sop_instance_uid, catalog_instances.c.attributes).where(
            catalog_instances.c.sop_instance_uid.in_(sop_instance_uids[start : start + _CHUNK])
        )
        for row in connection.execute(query):
            found[row.sop_instance_uid] = json.loads(row.attributes)
    return found


def _integer(value: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [value]}
