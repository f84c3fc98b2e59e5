"""`ports.PullStore` over SQL; what a pull asks for is sealed."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.pull import PULL_ENDED, Pull, PullState, PullWork, StudyQuery
from dicom_node.index.database import peeking, transact
from dicom_node.index.row_seal import RowSeal
from dicom_node.index.tables.pulls import pulls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row

_COLUMNS = tuple(pulls.c[name] for name in Pull.__dataclass_fields__)
_ENDED = tuple(state.value for state in PULL_ENDED)


class SqlPulls:
    """Pulls of one node, or of several that share a database.

    Every method may raise `StorageFailure`, those that write `OutOfResources` too.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    key
        32 bytes, derived from the master key for this purpose alone.
    """

    def __init__(self, engine: Engine, key: bytes) -> None:
        self._engine = engine
        self._rows = RowSeal(key, "a pull")

    def add(self, pull: Pull, work: PullWork) -> None:
        """See `ports.PullStore.add`."""
        row = _row(pull) | {"sealed": self._seal(pull.id, work)}
        transact(self._engine, lambda connection: connection.execute(insert(pulls).values(row)))

    def update(self, pull: Pull, work: PullWork | None = None) -> None:
        """See `ports.PullStore.update`."""
        row: dict[str, Any] = _row(pull)
        if pull.state in PULL_ENDED:
            row["sealed"] = None
        elif work is not None:
            row["sealed"] = self._seal(pull.id, work)
        statement = update(pulls).where(pulls.c.id == pull.id).values(row)
        transact(self._engine, lambda connection: connection.execute(statement))

    def work(self, pull_id: str) -> PullWork:
        """See `ports.PullStore.work`."""
        with peeking(self._engine) as connection:
            sealed = connection.execute(select(pulls.c.sealed).where(pulls.c.id == pull_id)).scalar()
        if sealed is None:
            raise NotFound("the pull is unknown, or has ended")
        return self._open(pull_id, sealed)

    def get(self, pull_id: str) -> Pull:
        """See `ports.PullStore.get`."""
        with peeking(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(pulls.c.id == pull_id)).first()
        if row is None:
            raise NotFound("no pull has this id; GET /api/pulls lists them")
        return _pull(row)

    def newest(self, limit: int) -> Sequence[Pull]:
        """See `ports.PullStore.newest`."""
        query = select(*_COLUMNS).order_by(pulls.c.created_at.desc(), pulls.c.id.desc()).limit(limit)
        with peeking(self._engine) as connection:
            return [_pull(row) for row in connection.execute(query)]

    def unfinished(self) -> Sequence[Pull]:
        """See `ports.PullStore.unfinished`."""
        query = select(*_COLUMNS).where(pulls.c.state.not_in(_ENDED)).order_by(pulls.c.created_at, pulls.c.id)
        with peeking(self._engine) as connection:
            return [_pull(row) for row in connection.execute(query)]

    def _seal(self, pull_id: str, work: PullWork) -> bytes:
        return self._rows.seal(pull_id, json.dumps(asdict(work), default=str).encode())

    def _open(self, pull_id: str, sealed: bytes) -> PullWork:
        content = json.loads(self._rows.open(pull_id, sealed))
        query = content["query"]
        for bound in ("since", "until"):
            query[bound] = date.fromisoformat(query[bound]) if query[bound] else None
        return PullWork(StudyQuery(**query), content["complete"])


def _row(pull: Pull) -> dict[str, Any]:
    return asdict(pull) | {"state": pull.state.value, "study_ids": " ".join(pull.study_ids)}


def _pull(row: Row[*tuple[Any, ...]]) -> Pull:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values["state"] = PullState(values["state"])
    values["study_ids"] = tuple(filter(None, values["study_ids"].split(" ")))
    return Pull(**values)
