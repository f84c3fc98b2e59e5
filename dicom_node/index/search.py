"""Searches of the catalogue.

Studies are few and their table is narrow, so conditions on them are met first, by reading all of it where
no index helps. What a study holds is counted in its row: a page of series or instances is found by adding
up the counts of studies in the order of results, so that neither the total nor a page far behind costs
more for a million instances than for the studies that hold them. Conditions that no column decides are
met by reading attributes, as few as the other conditions leave, and not more than a bound.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, and_, func, literal, select

from dicom_node.domain.attribute_levels import in_summary
from dicom_node.domain.catalog import CatalogPage, QueryLevel
from dicom_node.index.conditions import read_conditions
from dicom_node.index.search_clauses import Clauses
from dicom_node.index.search_documents import Documents
from dicom_node.index.search_scope import Scope, narrowed
from dicom_node.index.search_seek import ORDER, Seek
from dicom_node.index.tables.catalog import (
    catalog_instances,
    catalog_series,
    catalog_sop_classes,
    catalog_studies,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection

    from dicom_node.domain.catalog import CatalogQuery
    from dicom_node.index.attributes import Attributes

_STUDIES: Final = catalog_studies.c
_SERIES: Final = catalog_series.c
_INSTANCES: Final = catalog_instances.c
_CLASSES: Final = catalog_sop_classes.c
_OF_STUDY: Final = _SERIES.study_instance_uid == _STUDIES.study_instance_uid
_OF_SERIES: Final = and_(
    _INSTANCES.study_instance_uid == _SERIES.study_instance_uid,
    _INSTANCES.series_instance_uid == _SERIES.series_instance_uid,
)
_CLASS_OF_SERIES: Final = and_(
    _CLASSES.study_instance_uid == _SERIES.study_instance_uid,
    _CLASSES.series_instance_uid == _SERIES.series_instance_uid,
)


def search(connection: Connection, query: CatalogQuery) -> CatalogPage:
    """A page of matches.

    Raises
    ------
    ValueError
        If a key or its value is malformed; the message names the attribute.
    SearchTooBroad
        If too many attribute sets would have to be read.
    """
    clauses = Clauses(connection.dialect.name)
    scope = narrowed(connection, clauses, query, read_conditions(query))
    if query.level is QueryLevel.STUDY:
        return _studies(connection, clauses, scope, query)
    if query.level is QueryLevel.SERIES:
        return _series(connection, clauses, scope, query)
    return _instances(connection, clauses, scope, query)


def _studies(connection: Connection, clauses: Clauses, scope: Scope, query: CatalogQuery) -> CatalogPage:
    count = select(func.count()).select_from(catalog_studies).where(*scope.study)
    # What conditions leave is counted along with the page: they are met once.
    counted = func.count().over() if scope.study else literal(None)
    rows = select(_STUDIES.study_instance_uid, counted).where(*scope.study).order_by(*ORDER)
    found = connection.execute(_paged(rows, query.limit, query.offset)).all()
    total = found[0][1] if found else None
    if total is None:
        total = _total(connection, count, query, len(found))
    documents = Documents(connection, clauses, ((row[0], "") for row in found))
    return CatalogPage(tuple(documents.study(row[0]) for row in found), total, scope.missing)


def _series(connection: Connection, clauses: Clauses, scope: Scope, query: CatalogQuery) -> CatalogPage:
    weights = None
    if scope.series:
        weights = select(_SERIES.study_instance_uid, func.count().label("holds")).where(*scope.series)
    seek = Seek(connection, scope.study, weights, _STUDIES.series_count, query)
    rows = (
        select(_SERIES.study_instance_uid, _SERIES.series_instance_uid)
        .select_from(catalog_series.join(catalog_studies, _OF_STUDY))
        .where(clauses.among(_SERIES.study_instance_uid, seek.studies), *scope.series)
        .order_by(*ORDER, _SERIES.series_instance_uid)
    )
    pairs = connection.execute(_paged(rows, query.limit, seek.offset)).all() if seek.studies else []
    documents = Documents(connection, clauses, _with_studies(pairs))
    page = tuple(documents.series(study, series) for study, series in pairs)
    return CatalogPage(page, seek.total, scope.missing)


def _instances(connection: Connection, clauses: Clauses, scope: Scope, query: CatalogQuery) -> CatalogPage:
    rows = (
        select(_INSTANCES.study_instance_uid, _INSTANCES.series_instance_uid, _wanted(scope, query))
        .select_from(catalog_instances.join(catalog_series, _OF_SERIES).join(catalog_studies, _OF_STUDY))
        .where(_INSTANCES.listed, *scope.series, *scope.instance)
        .order_by(*ORDER, _SERIES.series_instance_uid, _INSTANCES.sop_instance_uid)
    )
    if scope.undecided:
        kept = _undecided(connection, rows.where(*scope.study), scope, query)
        return CatalogPage(_merged(connection, clauses, kept), scope.total, scope.missing)
    if scope.instance and not scope.by_class:
        rows = rows.where(*scope.study)
        found = connection.execute(_paged(rows, query.limit, query.offset)).all()
        count = select(func.count()).select_from(rows.order_by(None).subquery())
        total = _total(connection, count, query, len(found))
        return CatalogPage(_merged(connection, clauses, found), total, scope.missing)
    seek = Seek(connection, scope.study, _instance_weights(scope), _STUDIES.instance_count, query)
    rows = rows.where(clauses.among(_INSTANCES.study_instance_uid, seek.studies))
    page = connection.execute(_paged(rows, query.limit, seek.offset)).all() if seek.studies else ()
    return CatalogPage(_merged(connection, clauses, page), seek.total, scope.missing)


def _wanted(scope: Scope, query: CatalogQuery) -> ColumnElement[str]:
    """The attributes of instances, as few as will do."""
    if scope.undecided or not in_summary(query.attributes):
        return _INSTANCES.attributes
    return func.coalesce(_INSTANCES.summary, _INSTANCES.attributes)


def _instance_weights(scope: Scope) -> Select[Any] | None:
    """How many instances each study holds that the conditions on series and SOP classes leave."""
    if scope.by_class:
        query = select(_CLASSES.study_instance_uid, func.sum(_CLASSES.instance_count).label("holds"))
        query = query.where(*scope.classes)
        if scope.series:
            query = query.join_from(catalog_sop_classes, catalog_series, _CLASS_OF_SERIES).where(
                *scope.series
            )
        return query
    if scope.series:
        query = select(_SERIES.study_instance_uid, func.sum(_SERIES.instance_count).label("holds"))
        return query.where(*scope.series)
    return None


def _undecided(connection: Connection, rows: Select[Any], scope: Scope, query: CatalogQuery) -> list[Any]:
    """The page of what the attributes of instances decide; counts all of it in `scope.total`."""
    scope.bound(connection, select(func.count()).select_from(rows.order_by(None).subquery()))
    end = None if query.limit is None else query.offset + query.limit
    kept = []
    for row in connection.execution_options(yield_per=500).execute(rows):
        if scope.accepts(json.loads(row.attributes)):
            if query.offset <= scope.total and (end is None or scope.total < end):
                kept.append(row)
            scope.total += 1
    return kept


def _merged(connection: Connection, clauses: Clauses, rows: Any) -> tuple[Attributes, ...]:
    """The rows' attributes over those of their series and studies."""
    pairs = {(row[0], row[1]) for row in rows}
    documents = Documents(connection, clauses, _with_studies(pairs))
    above = {pair: documents.series(*pair) for pair in pairs}
    return tuple(above[row[0], row[1]] | json.loads(row[2]) for row in rows)


def _with_studies(pairs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for study, series in pairs:
        yield study, ""
        yield study, series


def _paged(rows: Select[Any], limit: int | None, offset: int) -> Select[Any]:
    return rows.offset(offset) if limit is None else rows.offset(offset).limit(limit)


def _total(connection: Connection, count: Select[Any], query: CatalogQuery, returned: int) -> int:
    """All matches; counted only where the page does not tell."""
    last = query.limit is None or returned < query.limit
    if last and (returned or not query.offset):
        return query.offset + returned
    return int(connection.execute(count).scalar_one())
