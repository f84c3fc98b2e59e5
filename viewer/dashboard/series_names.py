"""What result series are called: their Series Description, remembered."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from dicom_node.domain.catalog import CatalogQuery, QueryLevel

if TYPE_CHECKING:
    from dicom_node.ports.catalog import Catalog

_SERIES_INSTANCE_UID = "0020000E"
_SERIES_DESCRIPTION = "0008103E"
#: The model's name and version at the end, which pages show beside it.
_MODEL = re.compile(r"\s*\([^()]*\)$")


class SeriesNames:
    """Series Descriptions by Series Instance UID.

    A result series never changes its description (its UID is derived from study, version, model and role),
    so each study is asked for once.

    Parameters
    ----------
    capacity
        How many series are remembered.
    """

    def __init__(self, catalog: Catalog, capacity: int = 4096) -> None:
        self._catalog = catalog
        self._capacity = capacity
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def __call__(self, study_instance_uid: str, series_instance_uid: str) -> str | None:
        """The description without the model at its end, or `None` where there is none."""
        with self._lock:
            known = self._known.get(series_instance_uid)
        return known if known is not None else self._look_up(study_instance_uid).get(series_instance_uid)

    def _look_up(self, study_instance_uid: str) -> dict[str, str]:
        page = self._catalog.search(CatalogQuery(QueryLevel.SERIES, study_instance_uid=study_instance_uid))
        found = {
            _value(row, _SERIES_INSTANCE_UID): _MODEL.sub("", _value(row, _SERIES_DESCRIPTION))
            for row in page.rows
        }
        found = {uid: name for uid, name in found.items() if name}
        with self._lock:
            self._known.update(found)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return found


def _value(row: dict[str, dict[str, list[str]]], tag: str) -> str:
    values = row.get(tag, {}).get("Value") or [""]
    return str(values[0])
