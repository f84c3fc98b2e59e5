"""Conditions as SQL, where columns of the catalogue can say something of them.

References
----------
PS3.4 §C.2.2.2 (attribute matching).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, and_, cast, false, func, or_, select, tuple_, union_all
from sqlalchemy import Text as Text_
from sqlalchemy.dialects.postgresql import JSONB

from dicom_node.domain.attribute_levels import MODALITIES_IN_STUDY
from dicom_node.index.attributes import INSTANCE_NUMBER, MODALITY
from dicom_node.index.catalog_levels import NAME_TAGS, REQUEST_ID_TAGS
from dicom_node.index.conditions import Items, Leaf
from dicom_node.index.periods import MAX_SHIFT, Period
from dicom_node.index.person_names import bare_word, sound
from dicom_node.index.tables.catalog import (
    catalog_instances,
    catalog_name_words,
    catalog_names,
    catalog_series,
    catalog_studies,
)
from dicom_node.index.value_tests import AllOf, AnyOf, Empty, FuzzyName, Name, Number, Range, Text, Uids

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Column

    from dicom_node.index.conditions import Condition
    from dicom_node.index.value_tests import Test

_COLUMNS: Final[dict[str, Column[Any]]] = {
    "0020000D": catalog_studies.c.study_instance_uid,
    "00080020": catalog_studies.c.study_date,
    "00080030": catalog_studies.c.study_time,
    "00080050": catalog_studies.c.accession_number,
    "00081030": catalog_studies.c.study_description,
    "00100020": catalog_studies.c.patient_id,
    "00100030": catalog_studies.c.patient_birth_date,
    "00100040": catalog_studies.c.patient_sex,
    "00200010": catalog_studies.c.study_dicom_id,
    "0020000E": catalog_series.c.series_instance_uid,
    MODALITY: catalog_series.c.modality,
    "00200011": catalog_series.c.series_number,
    "0008103E": catalog_series.c.series_description,
    "00180015": catalog_series.c.body_part_examined,
    "00080021": catalog_series.c.series_date,
    "00080031": catalog_series.c.series_time,
    "00400244": catalog_series.c.performed_date,
    "00400245": catalog_series.c.performed_time,
    "00080018": catalog_instances.c.sop_instance_uid,
    "00080016": catalog_instances.c.sop_class_uid,
    INSTANCE_NUMBER: catalog_instances.c.instance_number,
}
_REQUESTS: Final = "00400275"
#: Sorts behind every other character.
_LAST: Final = "\U0010ffff"
#: More values go to the database as one text.
_MAX_PARAMETERS: Final = 200


@dataclass(frozen=True, slots=True)
class Clause:
    """What SQL can say of a condition; it lets too much through, perhaps, and never too little.

    Attributes
    ----------
    sql
        `None`: nothing.
    decided
        Whether it is all that there is to say.
    """

    sql: ColumnElement[bool] | None
    decided: bool


class Clauses:
    """Makes clauses for a kind of database.

    Parameters
    ----------
    dialect
        `sqlite` or `postgresql`.
    """

    def __init__(self, dialect: str) -> None:
        self._sqlite = dialect == "sqlite"

    def of(self, condition: Condition) -> Clause:
        """The clause on the columns of the condition's level."""
        if isinstance(condition, Items):
            return Clause(self._request_ids(condition), False)
        if isinstance(condition, Period):
            return _period(condition)
        if condition.tag == MODALITIES_IN_STUDY:
            return self._modalities(condition.test)
        if condition.tag in NAME_TAGS:
            return self._names(condition.tag, condition.test)
        column = _COLUMNS.get(condition.tag)
        return Clause(None, False) if column is None else self._column(column, condition.test)

    def among(self, column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
        """Whether a column has one of the values, however many there are."""
        if len(values) <= _MAX_PARAMETERS:
            return column.in_(values)
        if self._sqlite:
            each = func.json_each(json.dumps(list(values))).table_valued("value")
            return column.in_(select(each.c.value))
        return column.in_(select(func.jsonb_array_elements_text(cast(list(values), JSONB))))

    def pairs(
        self, first: ColumnElement[str], second: ColumnElement[str], values: Collection[tuple[str, str]]
    ) -> ColumnElement[bool]:
        """Whether two columns have one of the pairs of values, however many there are."""
        parts: list[ColumnElement[str]]
        if self._sqlite:
            # A list of row values would be compared with every row; a subquery of texts uses the index.
            one = func.json_each(json.dumps(list(values))).table_valued("value").c.value
            parts = [cast(func.json_extract(one, f"$[{at}]"), Text_) for at in (0, 1)]
        else:
            each = func.jsonb_array_elements(cast(list(values), JSONB)).column_valued("pair")
            parts = [func.jsonb_extract_path_text(each, str(at)) for at in (0, 1)]
        return tuple_(first, second).in_(select(*parts))

    def glob(self, column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
        """Whether all of a column's text fits a pattern of `*` and `?`, case and all."""
        if self._sqlite:
            return column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
        for special in ("\\", "%", "_"):
            pattern = pattern.replace(special, f"\\{special}")
        return column.like(pattern.replace("*", "%").replace("?", "_"), escape="\\")

    def contains(self, column: ColumnElement[str], part: str) -> ColumnElement[bool]:
        """Whether a column's text has a part, which has no wild cards."""
        return (func.instr(column, part) if self._sqlite else func.strpos(column, part)) > 0

    def _column(self, column: Column[Any], test: Test) -> Clause:
        match test:
            case Uids(uids):
                return Clause(self.among(column, sorted(uids)), True)
            case Range(_, low, high):
                # BETWEEN would do, but a collated column makes its parameters a syntax error on PostgreSQL.
                return Clause(and_(column >= low, column <= high), True)
            case Number(number):
                return Clause(column == int(number) if _fits_integer(number) else false(), True)
            case Text(pattern) if column.type.python_type is str:
                return Clause(self.glob(column, pattern) if test.wild else column == pattern, True)
            case Empty() if column.type.python_type is str:
                return Clause(column == "", False)
            case Empty():
                return Clause(column.is_(None), False)
            case AnyOf(tests) | AllOf(tests):
                return _joined(test, [self._column(column, one) for one in tests])
        return Clause(None, False)

    def _modalities(self, test: Test) -> Clause:
        column = catalog_studies.c.modalities
        match test:
            case Text(pattern) if "\n" in pattern:
                return Clause(None, False)
            case Text(pattern) if not test.wild:
                return Clause(self.contains(column, f"\n{pattern}\n"), True)
            case Text(pattern):
                return Clause(self.glob(column, f"*\n{pattern}\n*"), False)
            case Empty():
                return Clause(column == "", False)
            case AnyOf(tests) | AllOf(tests):
                return _joined(test, [self._modalities(one) for one in tests])
        return Clause(None, False)

    def _names(self, tag: str, test: Test) -> Clause:
        studies = catalog_studies.c.study_instance_uid
        match test:
            case Empty():
                named = select(catalog_names.c.study_instance_uid).where(catalog_names.c.tag == tag)
                return Clause(studies.not_in(named), False)
            case Name(groups):
                parts = [
                    studies.in_(self._named(tag, patterns, None if len(groups) == 1 else index))
                    for index, patterns in enumerate(groups)
                    if patterns
                ]
                return Clause(and_(*parts), True)
            case FuzzyName(words):
                return Clause(and_(*(studies.in_(self._worded(tag, word)) for word in words)), True)
            case AnyOf(tests) | AllOf(tests):
                return _joined(test, [self._names(tag, one) for one in tests])
        return Clause(None, False)

    def _named(self, tag: str, patterns: Sequence[str], group: int | None) -> Any:
        table = catalog_names.c
        fits = [self.glob(table.name, p) if "*" in p or "?" in p else table.name == p for p in patterns]
        query = select(table.study_instance_uid).where(table.tag == tag, or_(*fits))
        return query if group is None else query.where(table.position % 3 == group)

    def _worded(self, tag: str, word: str) -> Any:
        table = catalog_name_words.c
        wild = "*" in word or "?" in word
        named = select(table.study_instance_uid).where(table.tag == tag)
        # Two ranges of two indexes: a prefix by itself, for a pattern as a parameter uses none.
        begins = [self.glob(table.word, word)] if wild else [table.word >= word, table.word < word + _LAST]
        spoken = sound(bare_word(word) if wild else word)
        fits = named.where(*begins)
        return union_all(fits, named.where(table.sound == spoken)) if spoken else fits

    def _request_ids(self, condition: Items) -> ColumnElement[bool] | None:
        if condition.tag != _REQUESTS:
            return None
        column = catalog_series.c.request_ids
        texts = [
            part.test
            for part in condition.parts
            if isinstance(part, Leaf) and part.tag in REQUEST_ID_TAGS and isinstance(part.test, Text)
        ]
        if not texts:
            return None
        return and_(
            *(
                self.glob(column, f"*\n{text.pattern}\n*")
                if text.wild
                else self.contains(column, f"\n{text.pattern}\n")
                for text in texts
            )
        )


def _joined(test: Test, clauses: list[Clause]) -> Clause:
    decided = all(clause.decided for clause in clauses)
    known = [clause.sql for clause in clauses if clause.sql is not None]
    if isinstance(test, AllOf):
        return Clause(and_(*known) if known else None, decided)
    return Clause(or_(*known) if len(known) == len(clauses) else None, decided)


def _period(period: Period) -> Clause:
    date, time = _COLUMNS.get(period.tag), _COLUMNS.get(period.time_tag)
    if date is None or time is None:
        return Clause(None, False)
    low, high = period.low, period.high
    within = and_(date >= low[:8], date <= high[:8])
    if period.zone_s is not None:
        days = -(-MAX_SHIFT.total_seconds() // 86_400)
        return Clause(and_(date >= _moved(low[:8], -days), date <= _moved(high[:8], days)), False)
    return Clause(
        and_(
            within,
            or_(date > low[:8], time >= low[8:], time == ""),
            or_(date < high[:8], time <= high[8:], time == ""),
        ),
        True,
    )


def _moved(day: str, days: float) -> str:
    try:
        moved = datetime.strptime(day, "%Y%m%d") + timedelta(days=days)
    except (ValueError, OverflowError):
        return day
    return f"{moved.year:04}{moved:%m%d}"


def _fits_integer(number: float) -> bool:
    return number.is_integer() and -(2**31) <= number < 2**31
