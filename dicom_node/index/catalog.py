"""`ports.Catalog` over SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select, update

from dicom_node.domain.attribute_levels import SUMMARY_TAGS
from dicom_node.domain.catalog import CatalogEntry, CatalogKind
from dicom_node.domain.errors import Gone, NotFound
from dicom_node.index import search_prompt
from dicom_node.index.attributes import INSTANCE_NUMBER, first_integer
from dicom_node.index.catalog_levels import derive_levels, dumps, serialise_studies
from dicom_node.index.database import reading, transact
from dicom_node.index.locating import locate
from dicom_node.index.search import search
from dicom_node.index.tables.catalog import catalog_instances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Engine

    from dicom_node.domain.catalog import CatalogPage, CatalogQuery
    from dicom_node.domain.catalog_record import CatalogRecord

#: Values in one statement; databases bound them.
_CHUNK: Final = 500


class SqlCatalog:
    """What DICOMweb searches and retrieves.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def publish(self, entries: Sequence[CatalogEntry]) -> None:
        """See `ports.Catalog.publish`.

        Results take the place of the study's results of older versions in the same transaction, so that
        nobody ever sees two versions.
        """
        if entries:
            rows = [_row(entry) for entry in {entry.sop_instance_uid: entry for entry in entries}.values()]
            transact(self._engine, lambda connection: _publish(connection, rows))

    def withdraw_sources(self, study_id: str) -> None:
        """See `ports.Catalog.withdraw_sources`."""
        transact(
            self._engine,
            lambda connection: _withdraw(
                connection,
                catalog_instances.c.study_id == study_id,
                catalog_instances.c.kind == CatalogKind.SOURCE.value,
            ),
        )

    def withdraw_results(self, study_id: str, before_version: int) -> None:
        """See `ports.Catalog.withdraw_results`; their UIDs stay known, and are `Gone`."""
        transact(
            self._engine,
            lambda connection: _withdraw(connection, *_older_results(study_id, before_version)),
        )

    def search(self, query: CatalogQuery) -> CatalogPage:
        """See `ports.Catalog.search`."""
        # On SQLite `prompt` was asked before, by who could use it.
        page = None if self._in_process else self._answered(query)
        if page is not None:
            return page
        with reading(self._engine) as connection:
            return search(connection, query)

    def prompt(self, query: CatalogQuery) -> CatalogPage | None:
        """See `ports.Catalog.prompt`; a database elsewhere may keep its callers waiting."""
        return self._answered(query) if self._in_process else None

    @property
    def _in_process(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def _answered(self, query: CatalogQuery) -> CatalogPage | None:
        if not search_prompt.is_prompt(query):
            return None
        with reading(self._engine) as connection:
            return search_prompt.answer(connection, query)

    def find(
        self,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
    ) -> Sequence[CatalogEntry]:
        """See `ports.Catalog.find`."""
        table = catalog_instances
        under = [table.c.study_instance_uid == study_instance_uid]
        if series_instance_uid is not None:
            under.append(table.c.series_instance_uid == series_instance_uid)
        if sop_instance_uid is not None:
            under.append(table.c.sop_instance_uid == sop_instance_uid)
        listed = (
            select(table)
            .where(table.c.listed, *under)
            .order_by(
                table.c.series_instance_uid,
                table.c.instance_number.is_(None),
                table.c.instance_number,
                table.c.sop_instance_uid,
            )
        )
        with reading(self._engine) as connection:
            entries = [_entry(row) for row in connection.execute(listed)]
            if entries:
                return entries
            tombstone = connection.execute(select(table.c.sop_instance_uid).where(*under).limit(1)).first()
        if tombstone is None:
            raise NotFound("nothing is known under this study, series or instance UID")
        raise Gone("what was stored under this study, series or instance UID was purged; results may remain")

    def locate(
        self,
        study_instance_uid: str,
        series_instance_uid: str | None = None,
        sop_instance_uid: str | None = None,
        *,
        attributes: bool = False,
    ) -> Sequence[CatalogRecord]:
        """See `ports.Catalog.locate`."""
        uids = (study_instance_uid, series_instance_uid, sop_instance_uid)
        return locate(self._engine, [uid for uid in uids if uid is not None], attributes=attributes)


def _publish(connection: Connection, rows: list[dict[str, Any]]) -> None:
    table = catalog_instances
    uids = [row["sop_instance_uid"] for row in rows]
    studies = {row["study_instance_uid"] for row in rows}
    serialise_studies(connection, studies)
    for start in range(0, len(uids), _CHUNK):
        replaced = table.c.sop_instance_uid.in_(uids[start : start + _CHUNK])
        studies.update(
            connection.execute(select(table.c.study_instance_uid).where(replaced).distinct()).scalars()
        )
        connection.execute(delete(table).where(replaced))
    connection.execute(insert(table), rows)
    newest: dict[str, int] = {}
    for row in rows:
        if row["kind"] == CatalogKind.RESULT.value:
            newest[row["study_id"]] = max(row["version"], newest.get(row["study_id"], 0))
    for study_id, version in newest.items():
        studies |= _bury(connection, *_older_results(study_id, version))
    for study_instance_uid in sorted(studies):
        derive_levels(connection, study_instance_uid)


def _withdraw(connection: Connection, *conditions: ColumnElement[bool]) -> None:
    affected = select(catalog_instances.c.study_instance_uid).where(*conditions).distinct()
    serialise_studies(connection, set(connection.execute(affected).scalars()))
    for study_instance_uid in sorted(_bury(connection, *conditions)):
        derive_levels(connection, study_instance_uid)


def _bury(connection: Connection, *conditions: ColumnElement[bool]) -> set[str]:
    """Leave tombstones of what is listed; return the studies concerned."""
    buried = connection.execute(
        update(catalog_instances)
        .where(catalog_instances.c.listed, *conditions)
        .values(listed=False, ref="", attributes="{}", summary=None)
        .returning(catalog_instances.c.study_instance_uid)
    )
    return set(buried.scalars())


def _older_results(study_id: str, version: int) -> tuple[ColumnElement[bool], ...]:
    return (
        catalog_instances.c.study_id == study_id,
        catalog_instances.c.kind == CatalogKind.RESULT.value,
        catalog_instances.c.version < version,
    )


def _row(entry: CatalogEntry) -> dict[str, Any]:
    return {
        "sop_instance_uid": entry.sop_instance_uid,
        "study_instance_uid": entry.study_instance_uid,
        "series_instance_uid": entry.series_instance_uid,
        "study_id": entry.study_id,
        "kind": entry.kind.value,
        "sop_class_uid": entry.sop_class_uid,
        "transfer_syntax_uid": entry.transfer_syntax_uid,
        "ref": entry.ref,
        "version": entry.version,
        "listed": True,
        "instance_number": first_integer(entry.attributes, INSTANCE_NUMBER),
        "attributes": dumps(entry.attributes),
        "summary": dumps({tag: entry.attributes[tag] for tag in SUMMARY_TAGS & entry.attributes.keys()}),
    }


def _entry(row: Any) -> CatalogEntry:
    return CatalogEntry(
        study_id=row.study_id,
        kind=CatalogKind(row.kind),
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        ref=row.ref,
        attributes=json.loads(row.attributes),
        version=row.version,
    )
