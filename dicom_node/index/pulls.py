"""`ports.PullStore` over SQL; what a pull asks for is sealed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, or_, select, update

from dicom_node.domain.errors import NotFound
from dicom_node.domain.pull import PULL_ENDED, Pull, PullState, PullWork, StudyQuery
from dicom_node.index.database import peeking, transact
from dicom_node.index.row_seal import RowSeal
from dicom_node.index.tables.pulls import pulls
from dicom_node.index.tables.studies import studies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Row

_COLUMNS = tuple(pulls.c[name] for name in Pull.__dataclass_fields__)
_GOING_ON = tuple(state.value for state in PullState if state not in PULL_ENDED)
_NOBODYS: dict[str, Any] = {"owner": None, "lease_until": None, "fetching": None}


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

    def claim(self, owner: str, now: datetime, until: datetime) -> Pull | None:
        """See `ports.PullStore.claim`."""
        waiting = (
            select(*_COLUMNS)
            .where(pulls.c.state.in_(_GOING_ON), _free(now))
            .order_by(pulls.c.created_at, pulls.c.id)
            .limit(1)
        )
        with peeking(self._engine) as connection:
            if connection.execute(waiting).first() is None:
                return None

        def take(connection: Connection) -> Pull | None:
            row = connection.execute(waiting.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            values = {"owner": owner, "lease_until": until, "state": PullState.RUNNING.value}
            connection.execute(update(pulls).where(pulls.c.id == row.id).values(values))
            return replace(_pull(row), state=PullState.RUNNING)

        return transact(self._engine, take)

    def renew(self, owner: str, until: datetime) -> Mapping[str, bool]:
        """See `ports.PullStore.renew`."""
        statement = (
            update(pulls)
            .where(pulls.c.owner == owner)
            .values(lease_until=until)
            .returning(pulls.c.id, pulls.c.cancel_asked)
        )
        found = transact(self._engine, lambda connection: connection.execute(statement).all())
        return {row.id: bool(row.cancel_asked) for row in found}

    def let_go(self, owner: str) -> None:
        """See `ports.PullStore.let_go`."""
        statement = update(pulls).where(pulls.c.owner == owner).values(_NOBODYS)
        transact(self._engine, lambda connection: connection.execute(statement))

    def update(self, owner: str, pull: Pull, work: PullWork | None = None) -> bool:
        """See `ports.PullStore.update`."""
        row: dict[str, Any] = _row(pull)
        if pull.state in PULL_ENDED:
            row |= {"sealed": None, **_NOBODYS}
        elif work is not None:
            row["sealed"] = self._seal(pull.id, work)
        statement = update(pulls).where(pulls.c.id == pull.id, pulls.c.owner == owner).values(row)
        return bool(transact(self._engine, lambda connection: connection.execute(statement).rowcount))

    def set_fetching(self, owner: str, pull_id: str, study_instance_uid: str | None) -> None:
        """See `ports.PullStore.set_fetching`."""
        statement = (
            update(pulls)
            .where(pulls.c.id == pull_id, pulls.c.owner == owner)
            .values(fetching=study_instance_uid)
        )
        transact(self._engine, lambda connection: connection.execute(statement))

    def is_fetching(self, study_id: str, now: datetime) -> bool:
        """See `ports.PullStore.is_fetching`."""
        query = (
            select(pulls.c.id)
            .join(studies, studies.c.study_instance_uid == pulls.c.fetching)
            .where(studies.c.id == study_id, pulls.c.state == PullState.RUNNING.value, ~_free(now))
            .limit(1)
        )
        with peeking(self._engine) as connection:
            return connection.execute(query).first() is not None

    def cancel(self, pull_id: str, now: datetime) -> bool:
        """See `ports.PullStore.cancel`."""
        ended = {"state": PullState.CANCELLED.value, "updated_at": now, "sealed": None, **_NOBODYS}
        going_on = [pulls.c.id == pull_id, pulls.c.state.in_(_GOING_ON)]

        def end(connection: Connection) -> bool:
            if connection.execute(update(pulls).where(*going_on, _free(now)).values(ended)).rowcount:
                return True
            connection.execute(update(pulls).where(*going_on).values(cancel_asked=True))
            return False

        return transact(self._engine, end)

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

    def _seal(self, pull_id: str, work: PullWork) -> bytes:
        return self._rows.seal(pull_id, json.dumps(asdict(work), default=str).encode())

    def _open(self, pull_id: str, sealed: bytes) -> PullWork:
        content = json.loads(self._rows.open(pull_id, sealed))
        query = content["query"]
        for bound in ("since", "until"):
            query[bound] = date.fromisoformat(query[bound]) if query[bound] else None
        return PullWork(StudyQuery(**query), content["complete"])


def _free(now: datetime) -> ColumnElement[bool]:
    """Whether nobody fetches a pull, or whoever did has fallen silent."""
    return or_(pulls.c.lease_until.is_(None), pulls.c.lease_until < now)


def _row(pull: Pull) -> dict[str, Any]:
    return asdict(pull) | {"state": pull.state.value, "study_ids": " ".join(pull.study_ids)}


def _pull(row: Row[*tuple[Any, ...]]) -> Pull:
    values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
    values["state"] = PullState(values["state"])
    values["study_ids"] = tuple(filter(None, values["study_ids"].split(" ")))
    return Pull(**values)
