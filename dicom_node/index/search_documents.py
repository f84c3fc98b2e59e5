"""The attributes of studies and series, read once for a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from dicom_node.index.tables.catalog import catalog_documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from dicom_node.index.attributes import Attributes
    from dicom_node.index.search_clauses import Clauses

_TABLE: Final = catalog_documents.c


class Documents:
    """DICOM JSON of studies and series.

    Parameters
    ----------
    wanted
        Study and Series Instance UID; "" as the latter for the study's own attributes.
    """

    def __init__(self, connection: Connection, clauses: Clauses, wanted: Iterable[tuple[str, str]]) -> None:
        self._found: dict[tuple[str, str], Attributes] = {}
        pairs = list(dict.fromkeys(wanted))
        if not pairs:
            return
        query = select(_TABLE.study_instance_uid, _TABLE.series_instance_uid, _TABLE.attributes).where(
            clauses.pairs(_TABLE.study_instance_uid, _TABLE.series_instance_uid, pairs)
        )
        for study, series, attributes in connection.execute(query):
            self._found[study, series] = json.loads(attributes)

    def study(self, study: str) -> Attributes:
        """Attributes of a study; none where it is gone meanwhile."""
        return self._found.get((study, ""), {})

    def series(self, study: str, series: str) -> Attributes:
        """Attributes of a series over those of its study."""
        return self.study(study) | self._found.get((study, series), {})
