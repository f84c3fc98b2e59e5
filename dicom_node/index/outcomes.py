"""What came of each version: de-identification, routing, runs, results, deliveries."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, and_, delete, insert, select

from dicom_node.domain.deidentification import DeidentificationReport
from dicom_node.domain.delivery import Delivery, DeliveryStatus
from dicom_node.domain.result import ResultEntry, ResultKind
from dicom_node.domain.run import Assignment, Reason, RejectionKind, RoutingDecision, Run, RunStatus
from dicom_node.index.tables.deliveries import deliveries
from dicom_node.index.tables.outcomes import deidentification, results, routing, runs
from dicom_node.index.tables.studies import studies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row


def set_deidentification(
    connection: Connection, study_id: str, version: int, report: DeidentificationReport
) -> None:
    """Replace the report of a version."""
    row = {"report": json.dumps(report.as_json())}
    _replace(connection, deidentification, study_id, version, [row])


def find_deidentification(
    connection: Connection, study_id: str, version: int
) -> DeidentificationReport | None:
    """The report of a version."""
    text = connection.execute(
        select(deidentification.c.report).where(
            deidentification.c.study_id == study_id, deidentification.c.version == version
        )
    ).scalar()
    return None if text is None else DeidentificationReport.from_json(json.loads(text))


def set_routing(connection: Connection, study_id: str, version: int, decision: RoutingDecision) -> None:
    """Replace the decision of a version."""
    row = {
        "modalities": "\\".join(decision.modalities),
        "body_part": decision.body_part,
        "decision": json.dumps(asdict(decision)),
    }
    _replace(connection, routing, study_id, version, [row])


def find_routing(connection: Connection, study_id: str, version: int) -> RoutingDecision | None:
    """The decision of a version."""
    text = connection.execute(
        select(routing.c.decision).where(routing.c.study_id == study_id, routing.c.version == version)
    ).scalar()
    if text is None:
        return None
    raw = json.loads(text)
    return RoutingDecision(
        assignments=tuple(_assignment(a) for a in raw["assignments"]),
        reasons=tuple(_reason(r) for r in raw["reasons"]),
        modalities=tuple(raw["modalities"]),
        body_part=raw["body_part"],
    )


def _assignment(raw: dict[str, Any]) -> Assignment:
    return Assignment(**{**raw, "needs": tuple(raw.get("needs", ()))})


def _reason(raw: dict[str, Any]) -> Reason:
    kind = raw.get("kind")
    return Reason(**{**raw, "kind": RejectionKind(kind) if kind else None})


def set_runs(connection: Connection, study_id: str, version: int, made: Sequence[Run]) -> None:
    """Replace the runs of a version."""
    rows = [
        {
            "position": position,
            "model": run.model,
            "model_version": run.version,
            "series_instance_uid": run.series_instance_uid,
            "status": run.status.value,
            "reason": run.reason,
            "label": run.label,
            "confidence": run.confidence,
        }
        for position, run in enumerate(made)
    ]
    _replace(connection, runs, study_id, version, rows)


def set_results(connection: Connection, study_id: str, version: int, made: Sequence[ResultEntry]) -> None:
    """Replace the results of a version."""
    rows = [
        {
            "position": position,
            "kind": entry.kind.value,
            "sop_class_uid": entry.sop_class_uid,
            "series_instance_uid": entry.series_instance_uid,
            "sop_instance_uid": entry.sop_instance_uid,
            "ref": entry.ref,
        }
        for position, entry in enumerate(made)
    ]
    _replace(connection, results, study_id, version, rows)


def find_results(connection: Connection, study_id: str, version: int) -> list[ResultEntry]:
    """The results of a version, in the order in which they were set."""
    found = connection.execute(
        select(results)
        .where(results.c.study_id == study_id, results.c.version == version)
        .order_by(results.c.position)
    )
    return [_result(row) for row in found]


class Outcomes:
    """What came of the current versions of several studies, read in four queries."""

    def __init__(self, connection: Connection, study_ids: Sequence[str]) -> None:
        self.modalities: dict[str, tuple[str, ...]] = {}
        self.body_part: dict[str, str | None] = {}
        for row in _current(connection, routing, study_ids):
            self.modalities[row.study_id] = tuple(filter(None, row.modalities.split("\\")))
            self.body_part[row.study_id] = row.body_part
        self.runs: dict[str, list[Run]] = defaultdict(list)
        for row in _current(connection, runs, study_ids, runs.c.position):
            self.runs[row.study_id].append(_run(row))
        self.results: dict[str, list[ResultEntry]] = defaultdict(list)
        for row in _current(connection, results, study_ids, results.c.position):
            self.results[row.study_id].append(_result(row))
        self.deliveries: dict[str, list[Delivery]] = defaultdict(list)
        for row in _current(connection, deliveries, study_ids, deliveries.c.destination):
            self.deliveries[row.study_id].append(_delivery(row))


def _current(
    connection: Connection, table: Table, study_ids: Sequence[str], *order: Any
) -> Sequence[Row[Any]]:
    of_current = and_(studies.c.id == table.c.study_id, studies.c.version == table.c.version)
    query = select(table).join(studies, of_current).where(table.c.study_id.in_(study_ids))
    return connection.execute(query.order_by(table.c.study_id, *order)).all()


def _replace(
    connection: Connection, table: Table, study_id: str, version: int, rows: Sequence[dict[str, Any]]
) -> None:
    connection.execute(delete(table).where(table.c.study_id == study_id, table.c.version == version))
    if rows:
        key = {"study_id": study_id, "version": version}
        connection.execute(insert(table), [key | row for row in rows])


def _run(row: Row[Any]) -> Run:
    return Run(
        model=row.model,
        version=row.model_version,
        series_instance_uid=row.series_instance_uid,
        status=RunStatus(row.status),
        reason=row.reason,
        label=row.label,
        confidence=row.confidence,
    )


def _result(row: Row[Any]) -> ResultEntry:
    return ResultEntry(
        kind=ResultKind(row.kind),
        sop_class_uid=row.sop_class_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        version=row.version,
        ref=row.ref,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(row.destination, DeliveryStatus(row.status), row.attempts, row.reason)
