"""`ports.CommitmentStore` over SQL; what names instances is sealed."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select, update

from dicom_node.domain.commitment import (
    CommitmentOrder,
    CommitmentOutcome,
    CommitmentState,
    ObjectReference,
    describe,
    failures_of,
)
from dicom_node.domain.errors import NotFound
from dicom_node.index.database import peeking, transact
from dicom_node.index.row_seal import RowSeal
from dicom_node.index.tables.commitments import commitments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from dicom_node.domain.commitment import CommitmentReport
    from dicom_node.ports.operation import Clock

_TABLE: Final = commitments.c
_ASKED, _ORDERED = "scu", "scp"
#: States of a peer's request: its report is due, it has it, nobody could be reached.
_DUE, _REPORTED, _GIVEN_UP = "due", "reported", "given-up"


class SqlCommitments:
    """Transactions of one node, or of several that share a database.

    Parameters
    ----------
    engine
        From `index.database.open_database`, upgraded.
    key
        32 bytes, derived from the master key for this purpose alone.
    """

    def __init__(self, engine: Engine, clock: Clock, key: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._rows = RowSeal(key, "a storage commitment")
        self._key = key

    def begin(self, peer_ae_title: str, objects: Sequence[ObjectReference]) -> str:
        """See `ports.CommitmentStore.begin`."""
        transaction_uid = f"2.25.{uuid.uuid4().int}"
        row = self._row(_ASKED, transaction_uid, peer_ae_title, {"objects": _plain(objects)})
        row["state"] = CommitmentState.PENDING.value
        transact(self._engine, lambda connection: connection.execute(insert(commitments).values(row)))
        return transaction_uid

    def settle(self, report: CommitmentReport, peer_ae_title: str) -> bool:
        """See `ports.CommitmentStore.settle`."""

        def work(connection: Connection) -> bool:
            asked = (
                select(_TABLE.id, _TABLE.state, _TABLE.sealed)
                .where(
                    _TABLE.role == _ASKED,
                    _TABLE.transaction_uid == report.transaction_uid,
                    _TABLE.peer_ae_title == peer_ae_title,
                )
                .with_for_update()
            )
            row = connection.execute(asked).first()
            if row is None:
                return False
            if row.state != CommitmentState.PENDING.value:
                return True
            content = self._open(row.id, row.sealed)
            failures = failures_of(
                _references(content["objects"]),
                report.committed,
                {one.sop_instance_uid: reason for one, reason in report.failures.items()},
            )
            reasons = ", ".join(sorted({describe(code) for code in failures.values()}))
            self._end(
                connection,
                row.id,
                CommitmentState.FAILED if failures else CommitmentState.COMMITTED,
                f"{len(failures)} instances are not kept: {reasons}" if failures else None,
                content | {"failures": failures},
            )
            return True

        return transact(self._engine, work)

    def refused(self, transaction_uid: str, reason: str) -> None:
        """See `ports.CommitmentStore.refused`."""
        pending = update(commitments).where(
            _TABLE.role == _ASKED,
            _TABLE.transaction_uid == transaction_uid,
            _TABLE.state == CommitmentState.PENDING.value,
        )
        values = {"state": CommitmentState.FAILED.value, "reason": reason, "ended_at": self._clock.now()}
        transact(self._engine, lambda connection: connection.execute(pending.values(values)))

    def outcome(self, transaction_uid: str) -> CommitmentOutcome:
        """See `ports.Commitments.outcome`."""
        query = select(commitments).where(_TABLE.role == _ASKED, _TABLE.transaction_uid == transaction_uid)
        with peeking(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound("this node made no storage commitment request of this transaction UID")
        content = self._open(row.id, row.sealed)
        return CommitmentOutcome(
            CommitmentState(row.state),
            row.requested_at,
            row.ended_at,
            dict(content.get("failures", {})),
            row.reason,
        )

    def accept(self, peer_ae_title: str, transaction_uid: str, objects: Sequence[ObjectReference]) -> str:
        """See `ports.CommitmentStore.accept`."""
        hidden = self._hidden(transaction_uid)
        content = {"transaction_uid": transaction_uid, "objects": _plain(objects)}
        digest = self._digest(content)

        def work(connection: Connection) -> str:
            known = connection.execute(
                select(_TABLE.id, _TABLE.reason)
                .where(
                    _TABLE.role == _ORDERED,
                    _TABLE.transaction_uid == hidden,
                    _TABLE.peer_ae_title == peer_ae_title,
                )
                .order_by(_TABLE.requested_at, _TABLE.id)
                .with_for_update()
            ).all()
            again = next((row.id for row in known if row.id.endswith(digest)), None)
            duplicate = bool(known) and known[0].id != again
            row = self._row(_ORDERED, hidden, peer_ae_title, content | {"duplicate": duplicate}, digest)
            row |= {"state": _DUE, "next_at": row["requested_at"]}
            if again is None:
                connection.execute(insert(commitments).values(row))
                return str(row["id"])
            row["sealed"] = self._seal(again, content | {"duplicate": duplicate})
            del row["id"]
            connection.execute(update(commitments).where(_TABLE.id == again).values(row | {"ended_at": None}))
            return str(again)

        return transact(self._engine, work)

    def claim(self, now: datetime, until: datetime, order_id: str | None = None) -> CommitmentOrder | None:
        """See `ports.CommitmentStore.claim`."""
        due = select(commitments).where(_TABLE.role == _ORDERED, _TABLE.state == _DUE, _TABLE.next_at <= now)
        due = due.order_by(_TABLE.next_at, _TABLE.id).limit(1)
        if order_id is not None:
            due = due.where(_TABLE.id == order_id)
        with peeking(self._engine) as connection:  # most often there is none, and nobody need be kept waiting
            if connection.execute(due).first() is None:
                return None

        def work(connection: Connection) -> CommitmentOrder | None:
            row = connection.execute(due.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            connection.execute(update(commitments).where(_TABLE.id == row.id).values(next_at=until))
            content = self._open(row.id, row.sealed)
            return CommitmentOrder(
                row.id,
                row.peer_ae_title,
                content["transaction_uid"],
                _references(content["objects"]),
                content["duplicate"],
                row.attempts,
            )

        return transact(self._engine, work)

    def reported(self, order_id: str) -> None:
        """See `ports.CommitmentStore.reported`."""
        self._close(order_id, _REPORTED, None)

    def postpone(self, order_id: str, until: datetime, reason: str) -> None:
        """See `ports.CommitmentStore.postpone`."""
        values = {"next_at": until, "reason": reason, "attempts": _TABLE.attempts + 1}
        statement = update(commitments).where(_TABLE.id == order_id, _TABLE.state == _DUE).values(values)
        transact(self._engine, lambda connection: connection.execute(statement))

    def give_up(self, order_id: str, reason: str) -> None:
        """See `ports.CommitmentStore.give_up`."""
        self._close(order_id, _GIVEN_UP, reason)

    def expire(self, ended_before: datetime) -> int:
        """See `ports.CommitmentStore.expire`."""
        ended = delete(commitments).where(_TABLE.ended_at < ended_before)
        return transact(self._engine, lambda connection: connection.execute(ended).rowcount)

    def _close(self, order_id: str, state: str, reason: str | None) -> None:
        """End an order; what it named is erased, for nobody asks again but with the names."""
        values = {"state": state, "reason": reason, "ended_at": self._clock.now(), "next_at": None}
        statement = update(commitments).where(_TABLE.id == order_id, _TABLE.state == _DUE)
        transact(
            self._engine,
            lambda connection: connection.execute(statement.values(values | {"sealed": None})),
        )

    def _end(
        self,
        connection: Connection,
        row_id: str,
        state: CommitmentState,
        reason: str | None,
        content: dict[str, Any],
    ) -> None:
        values = {
            "state": state.value,
            "reason": reason,
            "ended_at": self._clock.now(),
            "sealed": self._seal(row_id, content),
        }
        connection.execute(update(commitments).where(_TABLE.id == row_id).values(values))

    def _row(
        self, role: str, transaction_uid: str, peer: str, content: dict[str, Any], digest: str = ""
    ) -> dict[str, Any]:
        row_id = uuid.uuid4().hex + digest
        return {
            "id": row_id,
            "role": role,
            "transaction_uid": transaction_uid,
            "peer_ae_title": peer,
            "requested_at": self._clock.now(),
            "ended_at": None,
            "attempts": 0,
            "next_at": None,
            "reason": None,
            "sealed": self._seal(row_id, content),
        }

    def _seal(self, row_id: str, content: dict[str, Any]) -> bytes:
        return self._rows.seal(row_id, json.dumps(content).encode())

    def _open(self, row_id: str, sealed: bytes) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._rows.open(row_id, sealed))
        return content

    def _hidden(self, transaction_uid: str) -> str:
        return hashlib.blake2b(transaction_uid.encode(), key=self._key, digest_size=16).hexdigest()

    def _digest(self, content: dict[str, Any]) -> str:
        """Tells whether a request is the same as one before, without saying what is in it."""
        plain = json.dumps(content, sort_keys=True).encode()
        return hashlib.blake2b(plain, key=self._key, digest_size=8).hexdigest()


def _plain(objects: Sequence[ObjectReference]) -> list[list[str]]:
    return sorted([one.sop_class_uid, one.sop_instance_uid] for one in objects)


def _references(plain: list[list[str]]) -> tuple[ObjectReference, ...]:
    return tuple(ObjectReference(*one) for one in plain)
