"""The attributes of studies and series, read once for a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from dicom_node.index.tables.catalog import catalog_documents

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from dicom_node.index.attributes import Attributes

#: Values in one statement; databases bound them.
_CHUNK: Final = 500


class Documents:
    """DICOM JSON of studies and series.

    Parameters
    ----------
    studies, series
        Instance UIDs of those that are needed.
    """

    def __init__(
        self, connection: Connection, studies: Collection[str], series: Collection[str] = ()
    ) -> None:
        self._found: dict[tuple[str, str], Attributes] = {}
        wanted = list(studies)
        table = catalog_documents.c
        # A few series of a large study, or all series of many studies: each is asked for by what is less.
        few = ["", *series] if len(wanted) == 1 and len(series) < _CHUNK else None
        for start in range(0, len(wanted), _CHUNK):
            query = select(table.study_instance_uid, table.series_instance_uid, table.attributes).where(
                table.study_instance_uid.in_(wanted[start : start + _CHUNK])
            )
            if few is not None:
                query = query.where(table.series_instance_uid.in_(few))
            elif not series:
                query = query.where(table.series_instance_uid == "")
            self._found |= {
                (study, one): json.loads(attributes) for study, one, attributes in connection.execute(query)
            }

    def study(self, study: str) -> Attributes:
        """Attributes of a study; none where it is gone meanwhile."""
        return self._found.get((study, ""), {})

    def series(self, study: str, series: str) -> Attributes:
        """Attributes of a series of a study."""
        return self._found.get((study, series), {})
