"""Searches that a statement or two answer: what viewers ask most.

The series of a study, the instances of a study or series, and studies by their UID, Patient ID or Accession
Number. Few rows and nothing but equality: no conditions need be built, nothing need be counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, func, select

from dicom_node.domain.attribute_levels import in_summary
from dicom_node.domain.catalog import CatalogPage, QueryLevel
from dicom_node.index.search_seek import ORDER
from dicom_node.index.tables.catalog import catalog_documents, catalog_instances, catalog_studies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dicom_node.domain.catalog import CatalogQuery
    from dicom_node.index.attributes import Attributes

#: Rows of an answer; where there are more it is no matter of a moment.
_MOST: Final = 100
#: What makes a value more than one to be equal to.
_SPECIAL: Final = frozenset('*?\\," ')

_STUDIES: Final = catalog_studies.c
_DOCUMENTS: Final = catalog_documents.c
_INSTANCES: Final = catalog_instances.c

_BY_KEY: Final = {
    tag: select(_DOCUMENTS.attributes)
    .select_from(
        catalog_studies.join(
            catalog_documents,
            and_(
                _DOCUMENTS.study_instance_uid == _STUDIES.study_instance_uid,
                _DOCUMENTS.series_instance_uid == "",
            ),
        )
    )
    .where(column == bindparam("value"))
    .order_by(*ORDER)
    .limit(_MOST + 1)
    for tag, column in (
        ("0020000D", _STUDIES.study_instance_uid),
        ("00100020", _STUDIES.patient_id),
        ("00080050", _STUDIES.accession_number),
    )
}
#: The study's own attributes come first, for "" does.
_OF_STUDY: Final = (
    select(_DOCUMENTS.series_instance_uid, _DOCUMENTS.attributes)
    .where(_DOCUMENTS.study_instance_uid == bindparam("study"))
    .order_by(_DOCUMENTS.series_instance_uid)
    .limit(_MOST + 2)
)
_OF_SERIES: Final = select(_DOCUMENTS.series_instance_uid, _DOCUMENTS.attributes).where(
    _DOCUMENTS.study_instance_uid == bindparam("study"),
    _DOCUMENTS.series_instance_uid.in_(("", bindparam("series"))),
)
_INSTANCES_OF_SERIES: Final = {
    whole: select(
        _INSTANCES.attributes if whole else func.coalesce(_INSTANCES.summary, _INSTANCES.attributes)
    )
    .where(
        _INSTANCES.study_instance_uid == bindparam("study"),
        _INSTANCES.series_instance_uid == bindparam("series"),
        _INSTANCES.listed,
    )
    .order_by(_INSTANCES.sop_instance_uid)
    .limit(_MOST + 1)
    for whole in (True, False)
}


def is_prompt(query: CatalogQuery) -> bool:
    """Whether `answer` knows this kind of search."""
    if query.fuzzy or query.empty_matching or query.multiple_matching:
        return False
    if query.level is QueryLevel.STUDY:
        if query.study_instance_uid is not None or len(query.matches) != 1:
            return False
        ((tag, value),) = query.matches.items()
        text = value.strip(" ")
        return (
            tag in _BY_KEY
            and text.isascii()
            and text.isprintable()
            and bool(text)
            and not (_SPECIAL & set(text))
        )
    if query.matches or query.study_instance_uid is None:
        return False
    return (query.level is QueryLevel.INSTANCE) == (query.series_instance_uid is not None)


def answer(connection: Connection, query: CatalogQuery) -> CatalogPage | None:
    """The page of a prompt search; `None` where it has too many rows to be one."""
    if query.level is QueryLevel.STUDY:
        ((tag, value),) = query.matches.items()
        found = connection.execute(_BY_KEY[tag], {"value": value.strip(" ")}).scalars().all()
        rows = [json.loads(attributes) for attributes in found] if len(found) <= _MOST else None
    elif query.level is QueryLevel.SERIES:
        rows = _series(connection, query)
    else:
        rows = _instances(connection, query)
    if rows is None:
        return None
    end = None if query.limit is None else query.offset + query.limit
    return CatalogPage(tuple(rows[query.offset : end]), len(rows))


def _series(connection: Connection, query: CatalogQuery) -> list[Attributes] | None:
    found = connection.execute(_OF_STUDY, {"study": query.study_instance_uid}).all()
    if len(found) > _MOST + 1:
        return None
    if not found:
        return []
    study = json.loads(found[0].attributes)
    return [study | json.loads(row.attributes) for row in found[1:]]


def _instances(connection: Connection, query: CatalogQuery) -> list[Attributes] | None:
    whole = not in_summary(query.attributes)
    within: dict[str, Any] = {"study": query.study_instance_uid, "series": query.series_instance_uid}
    found = connection.execute(_INSTANCES_OF_SERIES[whole], within).scalars().all()
    if len(found) > _MOST:
        return None
    above: Attributes = {}
    for row in sorted(connection.execute(_OF_SERIES, within), key=lambda row: row.series_instance_uid):
        above |= json.loads(row.attributes)
    return [above | json.loads(attributes) for attributes in found]
