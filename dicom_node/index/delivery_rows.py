"""Deliveries and their objects as rows."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, or_, select

from dicom_node.domain.delivery import DeliveryKey, DeliveryObject, DeliveryRecord, DeliveryStatus
from dicom_node.domain.errors import NotFound
from dicom_node.index.tables.deliveries import deliveries, result_deliveries

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row, Select, Table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTED: Final = ("objects", "sent", "confirmed")
_FIELDS: Final = tuple(
    name for name in DeliveryRecord.__dataclass_fields__ if name not in {"key", "status", *_COUNTED}
)
_OBJECT_FIELDS: Final = tuple(DeliveryObject.__dataclass_fields__)
_TAKEN: Final = (DeliveryStatus.SENT.value, DeliveryStatus.CONFIRMED.value)


def of_key(table: Table, key: DeliveryKey) -> ColumnElement[bool]:
    """The rows of a delivery."""
    return and_(
        table.c.study_id == key.study_id,
        table.c.version == key.version,
        table.c.destination == key.destination,
    )


def _count(*conditions: ColumnElement[bool]) -> Any:
    return (
        select(func.count())
        .where(
            result_deliveries.c.study_id == deliveries.c.study_id,
            result_deliveries.c.version == deliveries.c.version,
            result_deliveries.c.destination == deliveries.c.destination,
            *conditions,
        )
        .correlate(deliveries)
        .scalar_subquery()
    )


def records() -> Select[Any]:
    """All columns of deliveries, with the counts of their objects."""
    status = result_deliveries.c.status
    return select(
        deliveries,
        _count().label("objects"),
        _count(status.in_(_TAKEN)).label("sent"),
        _count(status == DeliveryStatus.CONFIRMED.value).label("confirmed"),
    )


def record_of(row: Row[Any]) -> DeliveryRecord:
    """From a row of `records`."""
    values = row._mapping  # noqa: SLF001 (SQLAlchemy's public name for it)
    return DeliveryRecord(
        key=DeliveryKey(row.study_id, row.version, row.destination),
        status=DeliveryStatus(row.status),
        **{name: values[name] for name in (*_FIELDS, *_COUNTED)},
    )


def row_of(record: DeliveryRecord) -> dict[str, Any]:
    """Values of a delivery's row, without its key."""
    values = {name: getattr(record, name) for name in _FIELDS}
    return values | {"status": record.status.value}


def object_of(row: Row[Any]) -> DeliveryObject:
    """From a row of `result_deliveries`."""
    values = row._mapping  # noqa: SLF001
    return DeliveryObject(
        **{name: values[name] for name in _OBJECT_FIELDS} | {"status": DeliveryStatus(row.status)}
    )


def object_row(key: DeliveryKey, item: DeliveryObject) -> dict[str, Any]:
    """All values of an object's row."""
    return asdict(key) | asdict(item) | {"status": item.status.value}


def cursor_of(record: DeliveryRecord) -> str:
    """The cursor of the page that follows a delivery."""
    key = record.key
    microseconds = (record.created_at - _EPOCH) // timedelta(microseconds=1)
    text = f"{microseconds}:{key.study_id}:{key.version}:{key.destination}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def follows(cursor: str) -> ColumnElement[bool]:
    """Deliveries behind a cursor, newest first.

    Raises
    ------
    NotFound
        If the cursor is none that `cursor_of` gave.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        time, study_id, version, destination = base64.urlsafe_b64decode(padded).decode("ascii").split(":", 3)
        created_at = _EPOCH + timedelta(microseconds=int(time))
        behind: tuple[Any, ...] = (created_at, study_id, int(version), destination)
    except (ValueError, OverflowError, binascii.Error) as exc:
        raise NotFound("the cursor is none that the node gave; ask for the first page again") from exc
    columns = (
        deliveries.c.created_at,
        deliveries.c.study_id,
        deliveries.c.version,
        deliveries.c.destination,
    )
    return or_(
        *(
            and_(*(c == v for c, v in zip(columns[:n], behind[:n], strict=True)), columns[n] < behind[n])
            for n in range(len(columns))
        )
    )
