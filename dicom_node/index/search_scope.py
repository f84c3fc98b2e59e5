"""What a search leaves of studies, series and instances: SQL, and what SQL cannot say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, or_, select

from dicom_node.domain.attribute_levels import level_of
from dicom_node.domain.catalog import QueryLevel
from dicom_node.domain.errors import SearchTooBroad
from dicom_node.index.conditions import Leaf, zone_of
from dicom_node.index.tables.catalog import (
    catalog_documents,
    catalog_instances,
    catalog_series,
    catalog_sop_classes,
    catalog_studies,
)
from dicom_node.index.value_tests import Text, Uids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from dicom_node.domain.catalog import CatalogQuery
    from dicom_node.index.attributes import Attributes
    from dicom_node.index.conditions import Condition
    from dicom_node.index.search_clauses import Clauses

#: Attribute sets that one search reads at most to find what columns cannot decide.
MAX_READ: Final = 100_000
_SOP_CLASS: Final = "00080016"
#: Characters of a text by which attribute sets are chosen before they are read.
_MIN_NEEDLE: Final = 3


@dataclass(slots=True)
class Scope:
    """Conditions on each level.

    Attributes
    ----------
    study, series, instance
        SQL on the tables of these levels.
    classes
        SQL on `catalog_sop_classes` that says what `instance` says, where `by_class`.
    undecided
        What the attributes of instances must meet besides.
    total
        Instances found among the undecided.
    missing
        Attribute sets that lack a value which was too long to keep, so that it was not compared.
    """

    study: list[ColumnElement[bool]] = field(default_factory=list)
    series: list[ColumnElement[bool]] = field(default_factory=list)
    instance: list[ColumnElement[bool]] = field(default_factory=list)
    classes: list[ColumnElement[bool]] = field(default_factory=list)
    by_class: bool = False
    undecided: list[Condition] = field(default_factory=list)
    total: int = 0
    missing: int = 0

    def accepts(self, attributes: Attributes) -> bool:
        """Whether attributes meet what is undecided; counts those that cannot tell."""
        zone = zone_of(attributes)
        if all(condition.accepts(attributes, zone) for condition in self.undecided):
            return True
        if any(condition.missing(attributes) for condition in self.undecided):
            self.missing += 1
        return False

    def bound(self, connection: Connection, count: Select[Any]) -> None:
        """Refuse to read too much.

        Raises
        ------
        SearchTooBroad
        """
        if connection.execute(count).scalar_one() > MAX_READ:
            raise SearchTooBroad(
                f"more than {MAX_READ} objects would have to be read for keys that are not indexed; add keys"
                " of the study or series, or search below a study"
            )


def narrowed(
    connection: Connection, clauses: Clauses, query: CatalogQuery, conditions: Sequence[Condition]
) -> Scope:
    """Meet the conditions on studies and series, and say what remains for instances.

    Raises
    ------
    SearchTooBroad
    """
    levels: dict[QueryLevel, list[Condition]] = {level: [] for level in QueryLevel}
    for condition in conditions:
        levels[level_of(condition.tag)].append(condition)
    scope = Scope()
    if query.study_instance_uid is not None:
        scope.study.append(catalog_studies.c.study_instance_uid == query.study_instance_uid)
    _narrow_studies(connection, clauses, scope, levels[QueryLevel.STUDY])
    if query.level is QueryLevel.STUDY:
        return scope
    if query.series_instance_uid is not None:
        scope.series.append(catalog_series.c.series_instance_uid == query.series_instance_uid)
    _narrow_series(connection, clauses, scope, levels[QueryLevel.SERIES])
    if query.level is QueryLevel.INSTANCE:
        _narrow_instances(clauses, scope, levels[QueryLevel.INSTANCE])
    return scope


def _narrow_studies(
    connection: Connection, clauses: Clauses, scope: Scope, conditions: Sequence[Condition]
) -> None:
    undecided = _add(clauses, scope.study, conditions)
    if not undecided:
        return
    documents = catalog_documents.c
    rows = (
        select(documents.study_instance_uid, documents.attributes)
        .join(catalog_studies, catalog_studies.c.study_instance_uid == documents.study_instance_uid)
        .where(documents.series_instance_uid == "", *scope.study)
    )
    found = _read(connection, clauses, scope, rows, undecided)
    scope.study.append(clauses.among(catalog_studies.c.study_instance_uid, [row[0] for row in found]))


def _narrow_series(
    connection: Connection, clauses: Clauses, scope: Scope, conditions: Sequence[Condition]
) -> None:
    undecided = _add(clauses, scope.series, conditions)
    if not undecided:
        return
    documents, series = catalog_documents.c, catalog_series.c
    same = and_(
        series.study_instance_uid == documents.study_instance_uid,
        series.series_instance_uid == documents.series_instance_uid,
    )
    rows = (
        select(documents.study_instance_uid, documents.series_instance_uid, documents.attributes)
        .join(catalog_series, same)
        .join(catalog_studies, catalog_studies.c.study_instance_uid == series.study_instance_uid)
        .where(*scope.study, *scope.series)
    )
    found = _read(connection, clauses, scope, rows, undecided)
    # The same series may lie in two studies, of which one matches.
    pairs = [(row[0], row[1]) for row in found]
    scope.series.append(clauses.pairs(series.study_instance_uid, series.series_instance_uid, pairs))


def _narrow_instances(clauses: Clauses, scope: Scope, conditions: Sequence[Condition]) -> None:
    scope.undecided = _add(clauses, scope.instance, conditions)
    tests = [c.test for c in conditions if isinstance(c, Leaf) and c.tag == _SOP_CLASS]
    if len(tests) == len(conditions) == len(scope.instance) and all(isinstance(t, Uids) for t in tests):
        scope.by_class = bool(tests)
        scope.classes = [
            clauses.among(catalog_sop_classes.c.sop_class_uid, sorted(test.uids))
            for test in tests
            if isinstance(test, Uids)
        ]
    for condition in scope.undecided:
        scope.instance += _needle(clauses, catalog_instances.c.attributes, condition)


def _add(
    clauses: Clauses, chosen: list[ColumnElement[bool]], conditions: Sequence[Condition]
) -> list[Condition]:
    """Add what SQL says of conditions; return those that it does not decide."""
    undecided = []
    for condition in conditions:
        clause = clauses.of(condition)
        if clause.sql is not None:
            chosen.append(clause.sql)
        if not clause.decided:
            undecided.append(condition)
    return undecided


def _read(
    connection: Connection,
    clauses: Clauses,
    scope: Scope,
    rows: Select[Any],
    undecided: list[Condition],
) -> list[Any]:
    for condition in undecided:
        rows = rows.where(*_needle(clauses, catalog_documents.c.attributes, condition))
    scope.bound(connection, select(func.count()).select_from(rows.subquery()))
    scope.undecided = undecided
    found = [row for row in connection.execute(rows) if scope.accepts(json.loads(row.attributes))]
    scope.undecided = []
    return found


def _needle(clauses: Clauses, column: Any, condition: Condition) -> list[ColumnElement[bool]]:
    """What the JSON of every data set that meets a condition contains: a text of its value."""
    test = condition.test if isinstance(condition, Leaf) else None
    if isinstance(test, Uids) and len(test.uids) == 1:
        parts = list(test.uids)
    elif isinstance(test, Text):
        parts = test.pattern.replace("?", "*").split("*")
    else:
        return []
    needle = json.dumps(max(parts, key=len))[1:-1]
    if len(needle) < _MIN_NEEDLE:
        return []
    # A value that is too long to be kept stands as the place where it is: see `Scope.missing`.
    return [or_(clauses.contains(column, needle), clauses.contains(column, f'/{condition.tag}"'))]
