"""Catalogue look-ups of retrieval: one statement, nothing parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from dicom_node.domain.catalog import CatalogKind
from dicom_node.domain.catalog_record import CatalogRecord
from dicom_node.domain.errors import Gone, NotFound
from dicom_node.index.database import peeking
from dicom_node.index.tables.catalog import catalog_instances as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Select

_COLUMNS: Final = (
    table.c.kind,
    table.c.study_instance_uid,
    table.c.series_instance_uid,
    table.c.sop_instance_uid,
    table.c.sop_class_uid,
    table.c.transfer_syntax_uid,
    table.c.ref,
    table.c.version,
)
_ORDER: Final = (
    table.c.series_instance_uid,
    table.c.instance_number.is_(None),
    table.c.instance_number,
    table.c.sop_instance_uid,
)
_KEYS: Final = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


def _statement(depth: int, *, attributes: bool) -> Select[Any]:
    columns = (*_COLUMNS, table.c.attributes) if attributes else _COLUMNS
    under = [table.c[key] == bindparam(key) for key in _KEYS[:depth]]
    return select(*columns).where(table.c.listed, *under).order_by(*_ORDER)


#: Made once: building a statement costs as much as running it.
_STATEMENTS: Final = {
    (depth, attributes): _statement(depth, attributes=attributes)
    for depth in (1, 2, 3)
    for attributes in (False, True)
}
_TOMBSTONES: Final = {
    depth: select(table.c.sop_instance_uid)
    .where(*(table.c[key] == bindparam(key) for key in _KEYS[:depth]))
    .limit(1)
    for depth in (1, 2, 3)
}


def locate(engine: Engine, uids: Sequence[str], *, attributes: bool) -> list[CatalogRecord]:
    """The listed instances under UIDs of a study, a series or an instance; see `ports.Catalog.locate`.

    Raises
    ------
    NotFound, Gone, StorageFailure
    """
    depth = len(uids)
    values = dict(zip(_KEYS, uids, strict=False))
    with peeking(engine) as connection:
        rows = connection.execute(_STATEMENTS[depth, attributes], values).all()
    if rows:
        return [CatalogRecord(CatalogKind(row[0]), *row[1:]) for row in rows]
    with peeking(engine) as connection:
        tombstone = connection.execute(_TOMBSTONES[depth], values).first()
    if tombstone is None:
        raise NotFound("nothing is known under this study, series or instance UID")
    raise Gone("what was stored under this study, series or instance UID was purged; results may remain")
