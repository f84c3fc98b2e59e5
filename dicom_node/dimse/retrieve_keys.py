"""Identifiers of C-GET and C-MOVE as instances of the catalogue.

References
----------
PS3.4 §C.4.2.1.4 and §C.4.3.1.3 (request identifier), §C.5.2 and §C.5.3 (relational retrieval).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dicom_node.dimse.query_keys import DoesNotMatch, is_single, read_level, require_unique_keys
from dicom_node.dimse.query_models import Level
from dicom_node.domain.catalog import CatalogQuery, QueryLevel
from dicom_node.domain.errors import Gone, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dicom_node.dimse.identifier import Identifier
    from dicom_node.dimse.query_models import InformationModel
    from dicom_node.domain.catalog_record import CatalogRecord
    from dicom_node.ports.catalog import Catalog

#: Number of Remaining Sub-operations is a US, and of instances no more can be asked for at once.
MOST_INSTANCES: Final = 65535
_PAGE: Final = 500
_STUDY, _SERIES, _INSTANCE = Level.STUDY.unique_key, Level.SERIES.unique_key, Level.IMAGE.unique_key


class TooManyInstances(Exception):
    """More instances than a retrieval can count."""


class Selection:
    """What a retrieval asks for.

    Attributes
    ----------
    records
        The instances to send.
    purged
        SOP Instance UIDs that were named and have been purged.

    Parameters
    ----------
    catalog
        Where they are looked up.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.records: list[CatalogRecord] = []
        self.purged: list[str] = []
        self._gone = False

    @classmethod
    def read(
        cls, catalog: Catalog, identifier: Identifier, model: InformationModel, *, relational: bool
    ) -> Selection:
        """Look up what an identifier asks for.

        Raises
        ------
        DoesNotMatch
            If the identifier is none of its SOP Class.
        Gone
            If nothing is left of what was asked for.
        TooManyInstances
        StorageFailure
        """
        level = read_level(identifier, model)
        if not relational:
            require_unique_keys(identifier, model, level)
        named = _list(identifier.text(level.unique_key))
        if not named or not all(is_single(uid) for uid in named):
            raise DoesNotMatch(f"the {level} unique key is needed, without wild cards")
        found = cls(catalog)
        found._add(level, named, _list(identifier.text(_STUDY)), _list(identifier.text(_SERIES)))
        if found._gone and not found.records and not found.purged:
            raise Gone("what was asked for was purged here; ask where it was sent to")
        return found

    def _add(self, level: Level, named: Sequence[str], studies: Sequence[str], series: Sequence[str]) -> None:
        if level is Level.IMAGE:
            self._take_instances(studies, series, named)
        elif level is Level.SERIES:
            for uid in named:
                for study in studies or self._parents(QueryLevel.SERIES, _SERIES, uid):
                    self._take(study, uid)
        else:
            for study in named if level is Level.STUDY else self._studies_of(named):
                self._take(study)

    def _take(self, *uids: str) -> None:
        try:
            self.records += self._catalog.locate(*uids)
        except NotFound:
            return
        except Gone:
            self._gone = True
        if len(self.records) > MOST_INSTANCES:
            raise TooManyInstances

    def _take_instances(self, studies: Sequence[str], series: Sequence[str], named: Sequence[str]) -> None:
        """Take single instances; of a series at once where it is named, for lists are long."""
        if len(studies) == len(series) == 1:
            wanted = dict.fromkeys(named)
            try:
                found = self._catalog.locate(studies[0], series[0])
            except (NotFound, Gone):
                found = []
            present = {record.sop_instance_uid: record for record in found}
            self.records += [present[uid] for uid in wanted if uid in present]
            missing = [(studies[0], series[0], uid) for uid in wanted if uid not in present]
        else:
            missing = [
                (_uid(row, _STUDY), _uid(row, _SERIES), uid)
                for uid in named
                for row in self._rows(QueryLevel.INSTANCE, {_INSTANCE: uid})
            ]
        for study, of_series, uid in missing:
            try:
                self.records += self._catalog.locate(study, of_series, uid)
            except NotFound:
                continue
            except Gone:
                self.purged.append(uid)
        if len(self.records) > MOST_INSTANCES:
            raise TooManyInstances

    def _studies_of(self, patients: Sequence[str]) -> Iterator[str]:
        for patient in patients:
            for row in self._rows(QueryLevel.STUDY, {Level.PATIENT.unique_key: patient}):
                yield _uid(row, _STUDY)

    def _parents(self, level: QueryLevel, tag: str, uid: str) -> list[str]:
        return [_uid(row, _STUDY) for row in self._rows(level, {tag: uid})]

    def _rows(self, level: QueryLevel, matches: dict[str, str]) -> Iterator[dict[str, dict[str, list[str]]]]:
        offset = 0
        while True:
            query = CatalogQuery(
                level,
                matches=matches,
                attributes=frozenset({_STUDY, _SERIES, _INSTANCE}),
                limit=_PAGE,
                offset=offset,
            )
            page = self._catalog.search(query)
            yield from page.rows
            offset += len(page.rows)
            if not page.rows or offset >= page.total:
                return


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(uid for uid in (part.strip(" \0") for part in text.split("\\")) if uid))


def _uid(row: dict[str, dict[str, list[str]]], tag: str) -> str:
    return str((row.get(tag, {}).get("Value") or [""])[0])
