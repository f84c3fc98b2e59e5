"""Where a page of series or instances lies: found by what studies hold, not by walking to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from dicom_node.index.tables.catalog import catalog_studies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from dicom_node.domain.catalog import CatalogQuery

_STUDIES: Final = catalog_studies.c
#: The order of studies in results.
ORDER: Final = (_STUDIES.study_date.desc(), _STUDIES.study_instance_uid.desc())
_MONTH: Final = func.substr(_STUDIES.study_date, 1, 6)
#: Sorts behind every date of a month.
_BEHIND: Final = "~"


class Seek:
    """Sums up what months hold, then what the studies of those months hold in which the page lies.

    Parameters
    ----------
    conditions
        On studies.
    weights
        `study_instance_uid` and `holds`, the rows that it has; not grouped yet. `None`: `column` says it.

    Attributes
    ----------
    studies
        Those that hold the page, in the order of results.
    offset
        Rows to skip from the first of them.
    total
        Rows of all pages.
    """

    def __init__(
        self,
        connection: Connection,
        conditions: Sequence[ColumnElement[bool]],
        weights: Select[Any] | None,
        column: ColumnElement[int],
        query: CatalogQuery,
    ) -> None:
        self._connection = connection
        self._conditions = conditions
        self._weights = weights
        self._column = column
        self._end = None if query.limit is None else query.offset + query.limit
        self.total = 0
        self.studies: list[str] = []
        self.offset = query.offset
        months = self._months(query.offset)
        if months:
            self._find(months, query.offset)

    def _months(self, offset: int) -> list[tuple[str, int]]:
        """The months in which the page lies, newest first, each with the rows before it."""
        source, holds = self._weighed([])
        sums = select(_MONTH.label("month"), func.sum(holds)).select_from(source).where(*self._conditions)
        months = []
        for month, rows in self._connection.execute(sums.group_by(_MONTH).order_by(_MONTH.desc())):
            if self.total + rows > offset and (self._end is None or self.total < self._end):
                months.append((month, self.total))
            self.total += int(rows)
        return months

    def _find(self, months: list[tuple[str, int]], offset: int) -> None:
        (newest, before), (oldest, _) = months[0], months[-1]
        within = [_STUDIES.study_date >= oldest, _STUDIES.study_date < newest + _BEHIND]
        source, holds = self._weighed(within)
        upto = func.sum(holds).over(order_by=ORDER, rows=(None, 0))
        sums = (
            select(_STUDIES.study_instance_uid, holds.label("holds"), upto.label("upto"))
            .select_from(source)
            .where(*self._conditions, *within)
            .subquery()
        )
        page = select(sums).where(sums.c.upto > offset - before).order_by(sums.c.upto)
        if self._end is not None:
            page = page.where(sums.c.upto - sums.c.holds < self._end - before)
        rows = self._connection.execute(page).all()
        if rows:
            self.studies = [row.study_instance_uid for row in rows]
            self.offset = offset - before - int(rows[0].upto - rows[0].holds)

    def _weighed(self, within: Sequence[ColumnElement[bool]]) -> tuple[Any, ColumnElement[int]]:
        """Studies beside the rows that they hold."""
        if self._weights is None:
            return catalog_studies, self._column
        study = self._weights.selected_columns[0]
        weights = self._weights.group_by(study)
        if within:
            weights = weights.where(study.in_(select(_STUDIES.study_instance_uid).where(*within)))
        weighed = weights.subquery()
        joined = catalog_studies.join(weighed, weighed.c.study_instance_uid == _STUDIES.study_instance_uid)
        return joined, weighed.c.holds
