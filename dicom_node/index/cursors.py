"""Cursors of pages that go from new to old."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, or_

from dicom_node.domain.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row, Table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def encode(row: Row[Any]) -> str:
    """The cursor of the page that follows this row."""
    microseconds = (row.created_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds}:{row.id}".encode()).decode().rstrip("=")


def follows(table: Table, cursor: str) -> ColumnElement[bool]:
    """Rows behind a cursor, by `created_at` and `id` descending.

    Raises
    ------
    NotFound
        If the cursor is none that `encode` gave.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        microseconds, _, last = base64.urlsafe_b64decode(padded).decode("ascii").partition(":")
        created_at = _EPOCH + timedelta(microseconds=int(microseconds))
    except (ValueError, OverflowError, binascii.Error) as exc:
        raise NotFound("the cursor is none that the node gave; ask for the first page again") from exc
    return or_(
        table.c.created_at < created_at,
        and_(table.c.created_at == created_at, table.c.id < last),
    )
