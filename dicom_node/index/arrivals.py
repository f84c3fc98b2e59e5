"""`ports.Arrivals` over SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from dicom_node.domain.study import ReceivingStudy, Sender, StudyState
from dicom_node.index.database import peeking
from dicom_node.index.tables.studies import instances, studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

_RECEIVING = (
    select(studies.c.id, studies.c.version, studies.c.last_received_at, studies.c.received_instances)
    .where(studies.c.state == StudyState.RECEIVING.value, studies.c.received_instances > 0)
    .order_by(studies.c.last_received_at, studies.c.id)
)
_SENDERS = (
    select(instances.c.source, func.min(instances.c.spool_ref))
    .where(instances.c.study_id == bindparam("of"), instances.c.purged_at.is_(None))
    .group_by(instances.c.source)
    .order_by(func.min(instances.c.id))
)
_PRESENT = (
    select(instances.c.sop_instance_uid, instances.c.study_id)
    .join(studies, studies.c.id == instances.c.study_id)
    .where(studies.c.study_instance_uid == bindparam("of"), instances.c.purged_at.is_(None))
)
_COUNT = (
    select(func.count())
    .select_from(instances)
    .where(instances.c.study_id == bindparam("of"), instances.c.purged_at.is_(None))
)


class SqlArrivals:
    """What the index knows of studies that are on their way in.

    Every method may raise `StorageFailure`.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def receiving(self) -> Sequence[ReceivingStudy]:
        """See `ports.Arrivals.receiving`."""
        with peeking(self._engine) as connection:
            return [ReceivingStudy(*row) for row in connection.execute(_RECEIVING)]

    def senders(self, study_id: str) -> Sequence[Sender]:
        """See `ports.Arrivals.senders`."""
        with peeking(self._engine) as connection:
            return [Sender(*row) for row in connection.execute(_SENDERS, {"of": study_id})]

    def present(self, study_instance_uid: str) -> Mapping[str, str]:
        """See `ports.Arrivals.present`."""
        with peeking(self._engine) as connection:
            rows = connection.execute(_PRESENT, {"of": study_instance_uid})
            return {row.sop_instance_uid: row.study_id for row in rows}

    def count_present(self, study_id: str) -> int:
        """See `ports.Arrivals.count_present`."""
        with peeking(self._engine) as connection:
            return int(connection.execute(_COUNT, {"of": study_id}).scalar_one())
