"""What became of the objects that the node made."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from dicom_node.domain.delivery import DeliveryStatus
from dicom_node.domain.errors import NotFound
from dicom_node.domain.ledger import DestinationCounts, MadeResult, ResultCounts, ResultDelivery
from dicom_node.domain.result import ResultKind
from dicom_node.index.tables.deliveries import result_deliveries
from dicom_node.index.tables.ledger import made_results
from dicom_node.index.tables.outcomes import results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from dicom_node.domain.ledger import GateVerdict
    from dicom_node.domain.result import ResultEntry

_CHECKED = (
    update(made_results)
    .where(
        made_results.c.study_id == bindparam("of"),
        made_results.c.version == bindparam("of_version"),
        made_results.c.sop_instance_uid == bindparam("uid"),
    )
    .values({name: bindparam(name) for name in ("passed", "problem", "size", "sha256", "checked_at")})
)


def record_made(
    connection: Connection, study_id: str, version: int, made: Sequence[ResultEntry], now: datetime
) -> None:
    """Replace what a version made."""
    of_version = and_(made_results.c.study_id == study_id, made_results.c.version == version)
    connection.execute(delete(made_results).where(of_version))
    if made:
        connection.execute(
            insert(made_results),
            [
                {
                    "study_id": study_id,
                    "version": version,
                    "sop_instance_uid": entry.sop_instance_uid,
                    "position": position,
                    "kind": entry.kind.value,
                    "sop_class_uid": entry.sop_class_uid,
                    "series_instance_uid": entry.series_instance_uid,
                    "model": entry.model,
                    "model_version": entry.model_version,
                    "made_at": now,
                }
                for position, entry in enumerate(made)
            ],
        )


def record_checked(
    connection: Connection, study_id: str, version: int, verdicts: Sequence[GateVerdict], now: datetime
) -> None:
    """Set what the gate said."""
    if verdicts:
        connection.execute(
            _CHECKED,
            [
                {
                    "of": study_id,
                    "of_version": version,
                    "uid": verdict.sop_instance_uid,
                    "passed": verdict.problem is None,
                    "problem": verdict.problem,
                    "size": verdict.size,
                    "sha256": verdict.sha256,
                    "checked_at": now,
                }
                for verdict in verdicts
            ],
        )


def record_expired(connection: Connection, study_id: str, now: datetime) -> None:
    """Take all results of a study out of the index; the ledger keeps that they were."""
    connection.execute(delete(results).where(results.c.study_id == study_id))
    connection.execute(
        update(made_results)
        .where(made_results.c.study_id == study_id, made_results.c.expired_at.is_(None))
        .values(expired_at=now)
    )


def count_results(connection: Connection, study_id: str, version: int) -> ResultCounts:
    """Objects of a version, by what became of them."""
    query = (
        select(made_results.c.passed, made_results.c.expired_at.is_not(None).label("gone"), func.count())
        .where(made_results.c.study_id == study_id, made_results.c.version == version)
        .group_by(made_results.c.passed, made_results.c.expired_at.is_not(None))
    )
    counts: dict[bool | None, int] = defaultdict(int)
    expired = 0
    for passed, gone, count in connection.execute(query):
        counts[passed] += count
        expired += count if gone else 0
    return ResultCounts(sum(counts.values()), counts[True], counts[False], counts[None], expired)


def count_deliveries(
    connection: Connection, study_id: str, version: int, passed: int
) -> tuple[DestinationCounts, ...]:
    """Objects of a version by destination, by how they stand."""
    query = (
        select(result_deliveries.c.destination, result_deliveries.c.status, func.count())
        .where(result_deliveries.c.study_id == study_id, result_deliveries.c.version == version)
        .group_by(result_deliveries.c.destination, result_deliveries.c.status)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for destination, status, count in connection.execute(query):
        found[destination][status] = count
    return tuple(
        DestinationCounts(
            destination=destination,
            objects=sum(counts.values()),
            confirmed=counts.get(DeliveryStatus.CONFIRMED.value, 0),
            sent=counts.get(DeliveryStatus.SENT.value, 0),
            waiting=counts.get(DeliveryStatus.PENDING.value, 0),
            dead=counts.get(DeliveryStatus.FAILED.value, 0),
            discarded=counts.get(DeliveryStatus.DISCARDED.value, 0),
            left_out=passed - sum(counts.values()),
        )
        for destination, counts in sorted(found.items())
    )


def page_of_results(
    connection: Connection, study_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[MadeResult], str | None]:
    """See `ports.Ledger.results`."""
    query = select(made_results).where(made_results.c.study_id == study_id)
    if cursor is not None:
        version, position = _place(cursor)
        query = query.where(
            or_(
                made_results.c.version > version,
                and_(made_results.c.version == version, made_results.c.position > position),
            )
        )
    query = query.order_by(made_results.c.version, made_results.c.position).limit(limit + 1)
    rows = connection.execute(query).all()
    shown = rows[:limit]
    sent = _deliveries(connection, study_id, [row.sop_instance_uid for row in shown])
    entries = []
    for row in shown:
        values = dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's public name for it)
        del values["study_id"], values["position"]
        values["kind"] = ResultKind(values["kind"])
        values["deliveries"] = tuple(sent[row.version, row.sop_instance_uid])
        entries.append(MadeResult(**values))
    return entries, f"{shown[-1].version}.{shown[-1].position}" if len(rows) > limit else None


def _place(cursor: str) -> tuple[int, int]:
    version, _, position = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in (version, position)):
        raise NotFound("the cursor is none that the node gave; ask for the first page again")
    return int(version), int(position)


def _deliveries(
    connection: Connection, study_id: str, uids: Sequence[str]
) -> dict[tuple[int, str], list[ResultDelivery]]:
    found: dict[tuple[int, str], list[ResultDelivery]] = defaultdict(list)
    query = (
        select(result_deliveries)
        .where(
            result_deliveries.c.study_id == study_id,
            result_deliveries.c.sop_instance_uid.in_(bindparam("uids", expanding=True)),
        )
        .order_by(result_deliveries.c.destination)
    )
    rows: Any = connection.execute(query, {"uids": list(uids)})
    for row in rows:
        found[row.version, row.sop_instance_uid].append(
            ResultDelivery(
                destination=row.destination,
                status=DeliveryStatus(row.status),
                attempts=row.attempts,
                sent_at=row.sent_at,
                confirmed_at=row.confirmed_at,
                reason=row.reason,
            )
        )
    return found
