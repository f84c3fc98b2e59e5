"""`ports.InstanceLookup` over SQL: what is known of source instances by their UIDs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from dicom_node.index.database import peeking
from dicom_node.index.tables.studies import instances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

#: Values in one statement; databases bound them.
_CHUNK: Final = 500


class SqlInstanceLookup:
    """Looks instances up in the ledger.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sop_classes(self, sop_instance_uids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """See `ports.InstanceLookup.sop_classes`; what is held wins over what was purged before."""
        columns = instances.c.sop_instance_uid, instances.c.sop_class_uid, instances.c.purged_at
        found: dict[str, tuple[str, bool]] = {}
        for start in range(0, len(sop_instance_uids), _CHUNK):
            chunk = sop_instance_uids[start : start + _CHUNK]
            query = select(*columns).where(instances.c.sop_instance_uid.in_(chunk)).order_by(instances.c.id)
            with peeking(self._engine) as connection:
                for uid, sop_class, purged_at in connection.execute(query):
                    if purged_at is None or uid not in found or not found[uid][1]:
                        found[uid] = sop_class, purged_at is None
        return found
