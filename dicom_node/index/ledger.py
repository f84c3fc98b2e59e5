"""The ledger of source instances: what came in, when, and when it was purged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from dicom_node.domain.instance import SourceInstance
from dicom_node.index.tables.studies import instances

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_SOURCE_COLUMNS = tuple(instances.c[name] for name in SourceInstance.__dataclass_fields__)
_FIND = select(*_SOURCE_COLUMNS).where(
    instances.c.sop_instance_uid == bindparam("uid"), instances.c.purged_at.is_(None)
)
_SOURCES = (
    select(*_SOURCE_COLUMNS)
    .where(
        instances.c.study_id == bindparam("study_id"),
        instances.c.version <= bindparam("up_to"),
        instances.c.purged_at.is_(None),
    )
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)


def find_source(connection: Connection, sop_instance_uid: str) -> SourceInstance | None:
    """The unpurged instance of a UID."""
    row = connection.execute(_FIND, {"uid": sop_instance_uid}).first()
    return None if row is None else SourceInstance(*row)


def last_source(
    connection: Connection, study_id: str, sop_instance_uid: str, sha256: str
) -> SourceInstance | None:
    """The newest row of an instance with these bytes, purged or not."""
    row = connection.execute(
        select(*_SOURCE_COLUMNS)
        .where(
            instances.c.study_id == study_id,
            instances.c.sop_instance_uid == sop_instance_uid,
            instances.c.sha256 == sha256,
        )
        .order_by(instances.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else SourceInstance(*row)


def retire(connection: Connection, study_id: str, sop_instance_uid: str, sha256: str, now: datetime) -> None:
    """Mark the unpurged row of these bytes purged, where there is one."""
    connection.execute(
        update(instances)
        .where(
            instances.c.study_id == study_id,
            instances.c.sop_instance_uid == sop_instance_uid,
            instances.c.sha256 == sha256,
            instances.c.purged_at.is_(None),
        )
        .values(purged_at=now)
    )


def sources(connection: Connection, study_id: str, version: int) -> list[SourceInstance]:
    """The unpurged instances of a study up to a version."""
    found = connection.execute(_SOURCES, {"study_id": study_id, "up_to": version})
    return [SourceInstance(*row) for row in found]
