"""Searches of the catalogue: in SQL where a column decides, else over what SQL leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select

from dicom_node.domain.catalog import CatalogPage, CatalogQuery, QueryLevel
from dicom_node.index.attributes import INSTANCE_NUMBER, MODALITIES_IN_STUDY, MODALITY
from dicom_node.index.matching import Match, MatchKind, read_match
from dicom_node.index.tables.catalog import catalog_instances, catalog_series, catalog_studies

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection

    from dicom_node.index.attributes import Attributes

_STUDY_COLUMNS: Final[dict[str, Column[Any]]] = {
    "0020000D": catalog_studies.c.study_instance_uid,
    "00080020": catalog_studies.c.study_date,
    "00080030": catalog_studies.c.study_time,
    "00080050": catalog_studies.c.accession_number,
    "00080090": catalog_studies.c.referring_physician_name,
    "00081030": catalog_studies.c.study_description,
    "00100010": catalog_studies.c.patient_name,
    "00100020": catalog_studies.c.patient_id,
    "00200010": catalog_studies.c.study_dicom_id,
}
_SERIES_COLUMNS: Final[dict[str, Column[Any]]] = {
    "0020000E": catalog_series.c.series_instance_uid,
    MODALITY: catalog_series.c.modality,
}
_INSTANCE_COLUMNS: Final[dict[str, Column[Any]]] = {
    "00080016": catalog_instances.c.sop_class_uid,
    "00080018": catalog_instances.c.sop_instance_uid,
    INSTANCE_NUMBER: catalog_instances.c.instance_number,
}
_LEVELS: Final = (QueryLevel.STUDY, QueryLevel.SERIES, QueryLevel.INSTANCE)


def search(connection: Connection, query: CatalogQuery) -> CatalogPage:
    """A page of matches.

    Raises
    ------
    ValueError
        If a match value is malformed; the message names the attribute.
    """
    columns = _columns(query.level)
    clauses: list[ColumnElement[bool]] = []
    if query.level is QueryLevel.INSTANCE:
        clauses.append(catalog_instances.c.listed)
    undecided: list[Match] = []
    for path, raw in query.matches.items():
        if path == MODALITIES_IN_STUDY:
            clauses.extend(_modalities_in_study(raw))
            continue
        match = read_match(path, raw)
        if match is None:
            continue
        clause, decided = _clause(match, columns)
        if clause is not None:
            clauses.append(clause)
        if not decided:
            undecided.append(match)
    if query.study_instance_uid is not None:
        clauses.append(catalog_studies.c.study_instance_uid == query.study_instance_uid)
    if query.series_instance_uid is not None and query.level is not QueryLevel.STUDY:
        clauses.append(catalog_series.c.series_instance_uid == query.series_instance_uid)
    rows = _select(query.level).where(*clauses)
    if undecided:
        return _filtered(connection, rows, undecided, query)
    total = connection.execute(select(func.count()).select_from(rows.order_by(None).subquery())).scalar_one()
    page = rows.offset(query.offset) if query.limit is None else rows.offset(query.offset).limit(query.limit)
    return CatalogPage(tuple(_merged(row) for row in connection.execute(page)), total)


def _filtered(
    connection: Connection, rows: Select[Any], undecided: list[Match], query: CatalogQuery
) -> CatalogPage:
    end = None if query.limit is None else query.offset + query.limit
    kept: list[Attributes] = []
    total = 0
    for row in connection.execute(rows):
        attributes = _merged(row)
        if all(match.accepts(attributes) for match in undecided):
            if query.offset <= total and (end is None or total < end):
                kept.append(attributes)
            total += 1
    return CatalogPage(tuple(kept), total)


def _columns(level: QueryLevel) -> dict[str, Column[Any]]:
    """What a row of this level has; keys of higher levels work at lower ones."""
    columns = dict(_STUDY_COLUMNS)
    if level is not QueryLevel.STUDY:
        columns |= _SERIES_COLUMNS
    if level is QueryLevel.INSTANCE:
        columns |= _INSTANCE_COLUMNS
    return columns


def _select(level: QueryLevel) -> Select[Any]:
    """The attributes of each level, outer first, in the order of results."""
    of_study = catalog_series.c.study_instance_uid == catalog_studies.c.study_instance_uid
    of_series = and_(
        catalog_instances.c.study_instance_uid == catalog_series.c.study_instance_uid,
        catalog_instances.c.series_instance_uid == catalog_series.c.series_instance_uid,
    )
    order: list[Any] = [catalog_studies.c.study_date.desc(), catalog_studies.c.study_instance_uid]
    if level is QueryLevel.STUDY:
        return select(catalog_studies.c.attributes).order_by(*order)
    order.append(catalog_series.c.series_instance_uid)
    if level is QueryLevel.SERIES:
        return (
            select(catalog_studies.c.attributes.label("study"), catalog_series.c.attributes.label("series"))
            .select_from(catalog_series.join(catalog_studies, of_study))
            .order_by(*order)
        )
    return (
        select(
            catalog_studies.c.attributes.label("study"),
            catalog_series.c.attributes.label("series"),
            catalog_instances.c.attributes.label("instance"),
        )
        .select_from(catalog_instances.join(catalog_series, of_series).join(catalog_studies, of_study))
        .order_by(*order, catalog_instances.c.sop_instance_uid)
    )


def _merged(row: Any) -> Attributes:
    merged: Attributes = {}
    for attributes in row:
        merged |= json.loads(attributes)
    return merged


def _clause(match: Match, columns: dict[str, Column[Any]]) -> tuple[ColumnElement[bool] | None, bool]:
    """What SQL can say, and whether that decides; otherwise it lets too much through, never too little."""
    column = columns.get(match.path[0]) if len(match.path) == 1 else None
    if column is None:
        return None, False
    match match.kind:
        case MatchKind.UIDS:
            return column.in_(match.texts), True
        case MatchKind.RANGE:
            # BETWEEN would do, but a collated column makes its parameters a syntax error on PostgreSQL.
            return and_(column >= match.low, column <= match.high), True
        case MatchKind.NUMBER:
            return column == match.number, True
        case MatchKind.NAME:
            if "=" in match.texts[0]:
                return None, False
            return column.like(f"%{_like(match.texts[0].rstrip('^ '))}%", escape="\\"), False
        case MatchKind.TEXT if match.wild:
            return column.like(f"%{_like(match.texts[0])}%", escape="\\"), False
        case MatchKind.TEXT:
            return column == match.texts[0], True


def _modalities_in_study(raw: str) -> list[ColumnElement[bool]]:
    """Studies with a series of one of these modalities; a list by comma or backslash."""
    wanted = [item.strip() for item in raw.replace("\\", ",").split(",") if item.strip()]
    if not wanted or any(not item.strip("*") for item in wanted):
        return []
    series = catalog_series.alias("series_in_study")
    conditions = [
        series.c.modality.like(_like(item), escape="\\")
        if any(c in item for c in "*?")
        else series.c.modality == item
        for item in wanted
    ]
    of_these = select(series.c.study_instance_uid).where(or_(false(), *conditions))
    return [catalog_studies.c.study_instance_uid.in_(of_these)]


def _like(pattern: str) -> str:
    """A pattern of `*` and `?` in SQL's words."""
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace("*", "%").replace("?", "_")
